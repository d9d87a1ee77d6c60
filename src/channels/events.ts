import { isOver } from '../calls/call.ts'
import { advance, type Progress } from '../calls/progress.ts'
import { recordingStarted } from '../calls/recordings.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Platform } from '../platform.ts'
import { toProgress } from './finish.ts'

/** What became of an event: whether its channel is to be hung up, since its call was over before. */
export type Heard = { hangUp: string | null }

/** Takes what a switch tells of a channel into its call (freeswitch.md 7). Events may come late, twice, out of order or
 * never: each tells what the earlier ones told, and the CDR says it all again. */
export async function hearChannel(platform: Platform, event: SwitchEvent): Promise<Heard> {
  if (event.kind === 'recording-started') await recordingStarted(platform, event)
  const progress = progressBy(event)
  if (progress === null || !('channelUuid' in event)) return { hangUp: null }
  const call = await advance(platform.db, event, progress)
  const late = call !== null && isOver(call.status) && event.kind !== 'channel-ended'
  return { hangUp: late ? event.channelUuid : null }
}

function progressBy(event: SwitchEvent): Progress | null {
  switch (event.kind) {
    case 'channel-progress':
      return { ringingAt: event.at }
    case 'channel-answered':
      return { ringingAt: event.ringingAt, answeredAt: event.at }
    case 'channel-ended':
      return toProgress({ ...event, endedAt: event.at, answeredSeconds: null, sipStatus: event.sipCode })
    default:
      return null
  }
}
