import type { Database, Db } from './db/connect.ts'
import type { Env } from './env.ts'
import type { Commands } from './event-socket/commands.ts'
import type { SwitchEvent } from './event-socket/event.ts'
import type { LiveChannels } from './event-socket/status.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Keys } from './secrets.ts'

/** What everything runs on. Tests bring their own. */
export type Platform = {
  db: Db
  database: Database
  env: Env
  keys: Keys
  log: Logger
  metrics: Metrics
  /** Absent where nothing talks to switches: EVENT_SOCKET=off, most tests. */
  switches?: Switches
}

/** A switch as one server process sees it now. */
export type SwitchView = {
  /** `host:port` of its event socket: its id in the tables. */
  id: string
  region: string
  up: boolean
  /** Why it is not up. */
  problem: string | null
  /** Whether this process is the one that watches it. */
  held: boolean
}

/** The switches of REGIONS_FILE, as far as this server process reaches them (switches/switches.ts). */
export type Switches = {
  /** What a switch can be told, or null when this process does not reach it now. */
  commands(switchId: string): Commands | null
  /** The channels that a switch runs, or null when it does not tell. */
  liveChannels(switchId: string): Promise<LiveChannels | null>
  /** Calls back for the channel events of the switches that this process watches: each event reaches one process, in
   * order for each channel, and not at all while nobody was connected. `switchName` as in a fetch's `hostname`. */
  onChannelEvent(heard: (event: SwitchEvent, switchName: string) => Promise<void>): void
  views(): SwitchView[]
  stop(): Promise<void>
}
