import { sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { recordFinding, strangerAsks } from './gateway-truth.ts'
import type { Gateways } from './gateways.ts'
import type { SwitchOfRegion } from './hold.ts'

/** Takes in that an address which is not its registrar's asked for a gateway's password. The switch tells the same of a
 * REGISTER, which fails for it, and of the INVITE of a call: which of the two it was, the gateway's state tells. A
 * registration that is being renewed fails by itself, and the next try tells why. */
export async function hearChallenge({ db, self, commands }: Gateways, trunkId: string): Promise<void> {
  const status = await commands.gatewayStatus(trunkId)
  if (status.kind !== 'done' || status.value === null) return
  const { up, state } = status.value
  if (!up) await recordFinding(db, self, trunkId, strangerAsks())
  else if (state === 'REGED') await logChallengedCall(db, self, trunkId)
}

const message =
  'A call failed: another address than those of outbound_host and outbound_proxy asked for the password, so none was given. The registration stands.'

// Once an hour: whatever challenges one call challenges them all.
async function logChallengedCall(db: Db, self: SwitchOfRegion, trunkId: string): Promise<void> {
  await db.execute(sql`
    INSERT INTO error_logs (carrier_id, sip_trunk_id, type, message, details)
    SELECT t.carrier_id, t.id, ${type}, ${message}, ${JSON.stringify({ region: self.region })}::jsonb
    FROM gateway_states g JOIN sip_trunks t ON t.id = g.trunk_id
    WHERE g.trunk_id = ${trunkId}::uuid AND g.switch_id = ${self.id} AND NOT EXISTS (
      SELECT 1 FROM error_logs
      WHERE sip_trunk_id = ${trunkId}::uuid AND type = ${type} AND created_at > now() - interval '1 hour')`)
}

const type = 'outbound_call.challenged_elsewhere'
