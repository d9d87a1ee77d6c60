import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { accounts, phoneCalls, webhookRequests } from '../db/schema.ts'
import type { Instructions, RunningCall, WebhookStep } from './call.ts'

/** A live call by its id and its channel's UUID, which proves that the switch runs it, with its newest step. */
export async function runningCall(
  db: Db,
  id: string,
  channelUuid: string,
): Promise<{ call: RunningCall; current: WebhookStep | null } | null> {
  const askedAt = performance.now()
  const [found] = await db
    .select({
      call: {
        id: phoneCalls.id,
        carrierId: phoneCalls.carrierId,
        accountId: phoneCalls.accountId,
        authTokenEncrypted: accounts.authTokenEncrypted,
        sipTrunkId: phoneCalls.sipTrunkId,
        direction: phoneCalls.direction,
        status: phoneCalls.status,
        from: phoneCalls.from,
        to: phoneCalls.to,
        channelUuid: phoneCalls.channelUuid,
        step: phoneCalls.step,
        instructions: phoneCalls.instructions,
      },
      current: {
        state: webhookRequests.state,
        method: webhookRequests.method,
        url: webhookRequests.url,
        params: webhookRequests.params,
        finalUrl: webhookRequests.finalUrl,
        document: webhookRequests.document,
        problem: webhookRequests.problem,
        expired: sql<boolean>`coalesce(${webhookRequests.expiresAt} < now(), false)`,
        ageSeconds: sql<number>`extract(epoch FROM now() - ${webhookRequests.createdAt})::float8`,
      },
    })
    .from(phoneCalls)
    .innerJoin(accounts, eq(accounts.id, phoneCalls.accountId))
    .leftJoin(
      webhookRequests,
      and(eq(webhookRequests.callId, phoneCalls.id), eq(webhookRequests.step, phoneCalls.step)),
    )
    .where(and(eq(phoneCalls.id, id), eq(phoneCalls.channelUuid, channelUuid)))
  if (!found) return null
  const { current, call } = found
  return {
    call: { ...call, askedAt, channelUuid, instructions: call.instructions as Instructions },
    current: current?.state ? (current as WebhookStep) : null,
  }
}
