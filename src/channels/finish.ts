import { isOver } from '../calls/call.ts'
import { advanceWithin, type Progress } from '../calls/progress.ts'
import { forgetExpected } from '../calls/recording-queries.ts'
import type { Returning } from '../calls/returning.ts'
import { cdrs } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { askOwedAction } from '../steps/after-hangup.ts'

/** How a channel lived, from its CDR or its hangup event. */
export type ChannelLife = {
  channelUuid: string
  ringingAt: Date | null
  answeredAt: Date | null
  endedAt: Date | null
  /** FreeSWITCH's own count of answered seconds (`billsec`). */
  answeredSeconds: number | null
  cause: string
  sipStatus: number | null
}

/** A CDR: the channel's life, how the verb ended that it was in, and the whole record as it was posted. */
export type ChannelRecord = ChannelLife & {
  outcome: Returning['outcome']
  record: Record<string, unknown>
}

/** Stores a CDR, once whatever number of times it comes, ends its call if that has not happened yet, asks the action that a
 * verb still owes, and forgets recordings that were never begun. */
export async function receiveCdr(platform: Platform, cdr: ChannelRecord): Promise<void> {
  const { channelUuid, record, outcome } = cdr
  await platform.db.transaction(async (tx) => {
    const call = await advanceWithin(tx, { channelUuid }, toProgress(cdr))
    const stored = await tx
      .insert(cdrs)
      .values({ channelUuid, callId: call?.id ?? null, record })
      .onConflictDoNothing()
      .returning({ channelUuid: cdrs.channelUuid })
    if (call !== null && stored.length > 0)
      await askOwedAction({ ...platform, db: tx }, { id: call.id, channelUuid }, outcome)
    if (call !== null && isOver(call.status)) await forgetExpected(tx, call.id)
  })
}

/** The progress of a call whose channel has lived so. */
export const toProgress = (life: ChannelLife): Progress => ({
  ringingAt: life.ringingAt,
  answeredAt: life.answeredAt,
  end: {
    at: life.endedAt ?? new Date(),
    cause: life.cause,
    sipStatus: life.sipStatus,
    answeredSeconds: life.answeredSeconds,
  },
})
