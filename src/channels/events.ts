import { isOver } from '../calls/call.ts'
import { advance, type Progress } from '../calls/progress.ts'
import { recordingStarted } from '../calls/recordings.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Platform } from '../platform.ts'
import { toProgress } from './finish.ts'

/** What became of an event: whether its channel is to be hung up, since its call was over before, or since nobody has let
 * it in. */
export type Heard = { hangUp: string | null }

/** Takes what a switch tells of a channel into its call (freeswitch.md 7). Events may come late, twice, out of order or
 * never: each tells what the earlier ones told, and the CDR says it all again. */
export async function hearChannel(platform: Platform, event: SwitchEvent): Promise<Heard> {
  if (event.kind === 'recording-started') await recordingStarted(platform, event)
  const progress = progressBy(event)
  if (progress === null || !('channelUuid' in event)) return { hangUp: null }
  const call = await advance(platform.db, event, progress)
  const late = call !== null && isOver(call.status) && event.kind !== 'channel-ended'
  const stranger = call === null && event.kind === 'channel-answered' && event.inbound
  if (stranger) platform.log.warn({ channelUuid: event.channelUuid }, strangerHungUp)
  return { hangUp: late || stranger ? event.channelUuid : null }
}

/** What the log says of an answered inbound channel that no call has. A switch answers one only by a document of ours, and
 * the call is stored before: without one, an INVITE with `Replaces` has made its way past the dialplan
 * (freeswitch-conf/vars.xml). */
export const strangerHungUp = 'A channel is hung up that was answered without having been let in'

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
