import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'

/** Charges the calls whose end has been assumed for an hour, as they stand: their CDRs do not come. Of several processes
 * each has others. */
export async function chargeAssumed(db: Db): Promise<void> {
  await db.transaction(async (tx) => {
    const due = await rows<{ id: string }>(
      tx,
      sql`UPDATE phone_calls SET charge_due_at = NULL WHERE id IN (
          SELECT id FROM phone_calls WHERE charge_due_at < now() ORDER BY charge_due_at LIMIT 200 FOR UPDATE SKIP LOCKED)
        RETURNING id`,
    )
    for (const { id } of due) await charge(tx, id)
  })
}

/** Gives a call that is over its price, once: the rate of the longest prefix of the called number in the carrier's table,
 * times full minutes begun; 0 if it was not answered. Only for accounts with `billing_enabled`, and never over a price
 * that is there already. A call that no rate fits has no price. Call it in the transaction that learns how the call
 * ended. */
export async function charge(db: Db, callId: string): Promise<void> {
  await db.execute(sql`
    UPDATE phone_calls AS c
    SET price = CASE WHEN c.answered_at IS NULL THEN 0
        ELSE greatest(1, ceil(coalesce(c.duration, 0) / 60.0)) * rate.price_per_minute END,
      price_unit = carrier.billing_currency, updated_at = now()
    FROM phone_calls AS billed
    JOIN accounts AS account ON account.id = billed.account_id AND account.billing_enabled
    JOIN carriers AS carrier ON carrier.id = billed.carrier_id
    LEFT JOIN LATERAL (
      SELECT r.price_per_minute FROM rates AS r
      WHERE r.carrier_id = billed.carrier_id
        AND r.direction = CASE billed.direction WHEN 'inbound' THEN 'inbound' ELSE 'outbound' END
        AND r.prefix IN (
          SELECT left(ltrim(billed.to_number, '+'), length)
          FROM generate_series(0, length(ltrim(billed.to_number, '+'))) AS length)
      ORDER BY length(r.prefix) DESC LIMIT 1
    ) AS rate ON true
    WHERE c.id = billed.id AND c.id = ${callId}::uuid AND c.price IS NULL AND c.ended_at IS NOT NULL
      AND (c.answered_at IS NULL OR rate.price_per_minute IS NOT NULL)`)
}
