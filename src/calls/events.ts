import { and, eq, inArray, isNull } from 'drizzle-orm'
import { phoneCalls } from '../db/schema.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Platform } from '../platform.ts'
import { endCall } from './finish.ts'

/** Takes what a switch tells of a channel into the call's record (freeswitch.md 7). Events may come late, twice or never:
 * each only moves a call forward, and the CDR says the same again. */
export async function hearChannel(platform: Platform, switchName: string, event: SwitchEvent): Promise<void> {
  switch (event.kind) {
    case 'channel-progress':
      await markRinging(platform, event.channelUuid, event.at)
      return
    case 'channel-answered':
      await markChannelAnswered(platform, event.channelUuid, event.at)
      return
    case 'channel-ended':
      await endCall(platform.db, {
        channelUuid: event.channelUuid,
        switchName,
        startedAt: null,
        ringingAt: null,
        answeredAt: event.answeredAt,
        endedAt: event.at,
        answeredSeconds: null,
        cause: event.cause,
        sipStatus: event.sipCode,
      })
      return
    default:
      return
  }
}

async function markRinging({ db }: Platform, channelUuid: string, at: Date): Promise<void> {
  await db
    .update(phoneCalls)
    .set({ status: 'ringing', ringingAt: at, updatedAt: new Date() })
    .where(
      and(
        eq(phoneCalls.channelUuid, channelUuid),
        eq(phoneCalls.status, 'initiated'),
        isNull(phoneCalls.endedAt),
      ),
    )
}

async function markChannelAnswered({ db }: Platform, channelUuid: string, at: Date): Promise<void> {
  await db
    .update(phoneCalls)
    .set({ status: 'in-progress', answeredAt: at, updatedAt: new Date() })
    .where(
      and(
        eq(phoneCalls.channelUuid, channelUuid),
        inArray(phoneCalls.status, ['initiated', 'ringing']),
        isNull(phoneCalls.endedAt),
      ),
    )
}
