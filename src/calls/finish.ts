import type { Db } from '../db/connect.ts'
import { cdrs } from '../db/schema.ts'
import { advanceWithin, type Progress } from './progress.ts'

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

/** A CDR: the channel's life and the whole record as it was posted. */
export type ChannelRecord = ChannelLife & { record: Record<string, unknown> }

/** Stores a CDR, once whatever number of times it comes, and ends its call if that has not happened yet. */
export async function receiveCdr(db: Db, cdr: ChannelRecord): Promise<void> {
  await db.transaction(async (tx) => {
    const call = await advanceWithin(tx, { channelUuid: cdr.channelUuid }, toProgress(cdr))
    await tx
      .insert(cdrs)
      .values({ channelUuid: cdr.channelUuid, callId: call?.id ?? null, record: cdr.record })
      .onConflictDoNothing()
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
