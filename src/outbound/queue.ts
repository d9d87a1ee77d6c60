import { contactOf } from '../dialling/queries.ts'
import type { Commands } from '../event-socket/commands.ts'
import type { Platform, Switches } from '../platform.ts'
import { anySwitchOf, type FoundSwitch, switchForTrunk } from '../switches/lookup.ts'
import { trunkById } from '../trunks/queries.ts'
import { end, place } from './place.ts'
import type { Way } from './placed-leg.ts'
import { canTake, type TakenCall, takeNext, waitingTrunks } from './queries.ts'

/** A trunk's queue is served until it is empty, its trunk is full, or as often as this; then the others have their turn. */
const mostInTurn = 50
const mostLanes = 8

/** Places queued calls: those of one trunk one after the other in the order in which they came, those of several trunks
 * side by side. */
export type Lanes = {
  /** Begins to serve every trunk that calls wait for. */
  serve(): Promise<void>
  /** Places a call that was taken before. */
  placeAgain(call: TakenCall, commands: Commands): Promise<void>
  /** Takes no more calls; fulfilled when those under way have been handed to their switches. */
  stop(): Promise<void>
}

/** Lanes for all queues: each trunk that calls wait for has its turn, once for each time that it is found to wait. */
export function createLanes(platform: Platform, switches: Switches): Lanes {
  const lanes = new Map<string | null, Promise<void>>()
  // The trunks whose turn is to come.
  const due = new Set<string | null>()
  let stopped = false

  const run = async (trunkId: string | null): Promise<void> => {
    for (let placed = 0; placed < mostInTurn; placed++)
      if (stopped || !(await placeNext(platform, switches, trunkId))) return
    due.add(trunkId)
  }
  const begin = (trunkId: string | null) => {
    due.delete(trunkId)
    const lane = run(trunkId)
      .catch((error) => platform.log.error({ err: error, trunkId }, 'A queue of calls could not be served'))
      .finally(() => {
        lanes.delete(trunkId)
        next()
      })
    lanes.set(trunkId, lane)
  }
  const next = () => {
    for (const trunkId of due) {
      if (stopped || lanes.size >= mostLanes) return
      if (!lanes.has(trunkId)) begin(trunkId)
    }
  }
  return {
    serve: async () => {
      for (const trunkId of inAnyOrder(await waitingTrunks(platform.db))) due.add(trunkId)
      next()
    },
    placeAgain: async (call, commands) => {
      const way = await wayOf(platform, call.sipTrunkId)
      await (way === 'gone' ? end(platform, call, noRoute) : place(platform, commands, call, way))
    },
    stop: async () => {
      stopped = true
      await Promise.all(lanes.values())
    },
  }
}

// So that several processes seldom want the same one.
const inAnyOrder = <Item>(items: readonly Item[]): Item[] =>
  items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)

/** Places the next call of a trunk's queue; false when there is none, no channel for it, or no switch to place it. */
async function placeNext(platform: Platform, switches: Switches, trunkId: string | null): Promise<boolean> {
  if (!(await canTake(platform.db, trunkId))) return false
  const way = await wayOf(platform, trunkId)
  if (way === 'gone') return failNext(platform, trunkId, noRoute)
  if (isUnregistered(way)) return failNext(platform, trunkId, unregistered)
  const found = await switchFor(platform, switches, way)
  const commands = found && switches.commands(found.id)
  if (found === null || commands === null) return false
  const call = await takeNext(platform.db, trunkId, found.name)
  return call === null ? false : place(platform, commands, call, way)
}

// Calls that were ordered, or put back, for a trunk that was then deleted.
async function wayOf({ db }: Platform, trunkId: string | null): Promise<Way | 'gone'> {
  const trunk = trunkId === null ? null : await trunkById(db, trunkId)
  if (trunkId !== null && trunk === null) return 'gone'
  return { trunk, contact: trunk && (await contactOf(db, trunk)) }
}

const isUnregistered = ({ trunk, contact }: Way) =>
  trunk?.authenticationMode === 'client_credentials' && trunk.outboundHost === null && contact === null

// Nobody on the wire has said so: where its account has failover, the call goes on to the next trunk. Contract section 7: a
// client that has not registered is unavailable (480).
const unregistered = { cause: 'SUBSCRIBER_ABSENT', sipStatus: null }
const noRoute = { cause: 'NO_ROUTE_DESTINATION', sipStatus: null }

async function failNext(
  platform: Platform,
  trunkId: string | null,
  why: { cause: string; sipStatus: number | null },
): Promise<boolean> {
  const call = await takeNext(platform.db, trunkId, '')
  return call !== null && end(platform, call, why)
}

async function switchFor({ db }: Platform, switches: Switches, { trunk }: Way): Promise<FoundSwitch | null> {
  if (trunk !== null) return switchForTrunk(db, trunk)
  const up = switches.views().filter((view) => view.up)
  const view = up[Math.floor(Math.random() * up.length)]
  return view === undefined ? null : anySwitchOf(db, view.region)
}
