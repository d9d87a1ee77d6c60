import { and, eq, inArray, ne, sql } from 'drizzle-orm'
import { recordEvent } from '../db/audit.ts'
import { type Db, rows } from '../db/connect.ts'
import { registrations, sipTrunks } from '../db/schema.ts'
import type { RegistrationStatus } from '../event-socket/status.ts'
import { registrationMark } from '../trunks/registration-mark.ts'
import type { SwitchOfRegion } from './hold.ts'

/** A contact as it is stored. */
export type Contact = typeof registrations.$inferSelect

/** A contact at a switch: clients choose their Call-IDs, so the user name belongs to it. */
export type ContactKey = Pick<Contact, 'registrationId' | 'username'>

/** The stored contacts of a switch, or those of one trunk at it. */
export const contactsAt = (db: Db, self: SwitchOfRegion, trunkId?: string): Promise<Contact[]> =>
  db
    .select()
    .from(registrations)
    .where(
      and(
        eq(registrations.switchId, self.id),
        trunkId === undefined ? undefined : eq(registrations.trunkId, trunkId),
      ),
    )

/** Whether another user at the switch has the same Call-ID. */
export async function sharesCallId(
  db: Db,
  self: SwitchOfRegion,
  { registrationId, username }: ContactKey,
): Promise<boolean> {
  const others = await db
    .select({ username: registrations.username })
    .from(registrations)
    .where(and(atSwitch(self, registrationId), ne(registrations.username, username)))
    .limit(1)
  return others.length > 0
}

/** Stores a contact, new or renewed. A client that comes back with another Call-ID takes the place of its old contact, of
 * which the switch says nothing. */
export async function storeContact(
  tx: Db,
  self: SwitchOfRegion,
  { trunkId, mark }: { trunkId: string; mark: string },
  told: RegistrationStatus,
): Promise<void> {
  const { registrationId, expiresSeconds, mark: _, ...seen } = told
  const expiresAt = sql`now() + ${expiresSeconds}::integer * interval '1 second'`
  const row = { ...seen, trunkId, mark, expiresAt, updatedAt: new Date() }
  await tx
    .delete(registrations)
    .where(
      and(
        eq(registrations.switchId, self.id),
        eq(registrations.trunkId, trunkId),
        eq(registrations.contact, told.contact),
        ne(registrations.registrationId, registrationId),
      ),
    )
  await tx
    .insert(registrations)
    .values({ ...row, switchId: self.id, registrationId })
    .onConflictDoUpdate({
      target: [registrations.switchId, registrations.registrationId, registrations.username],
      set: row,
    })
}

/** The trunk of a stored contact, or null when there is none. */
export async function trunkOfContact(tx: Db, self: SwitchOfRegion, key: ContactKey): Promise<string | null> {
  const [found] = await tx
    .select({ trunkId: registrations.trunkId })
    .from(registrations)
    .where(isContact(self, key))
  return found?.trunkId ?? null
}

/** Removes a contact of a trunk and gives it, or nothing when it was not there. */
export const removeContact = (
  tx: Db,
  self: SwitchOfRegion,
  trunkId: string,
  key: ContactKey,
): Promise<Contact[]> =>
  tx
    .delete(registrations)
    .where(and(isContact(self, key), eq(registrations.trunkId, trunkId)))
    .returning()

const isContact = (self: SwitchOfRegion, { registrationId, username }: ContactKey) =>
  and(atSwitch(self, registrationId), eq(registrations.username, username))

const atSwitch = (self: SwitchOfRegion, registrationId: string) =>
  and(eq(registrations.switchId, self.id), eq(registrations.registrationId, registrationId))

/** Lets nobody else look at the contacts of a trunk so until the transaction ends: an event and a comparison with the switch
 * may come upon the same contact at once, and each would tell of it as the first, or neither of the last. */
export async function lockContacts(tx: Db, trunkId: string): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`contacts of ${trunkId}`}, 0))`)
}

/** How many contacts of a trunk are registered now, at whatever switch. */
export async function countContacts(db: Db, trunkId: string): Promise<number> {
  const [counted] = await rows<{ contacts: number }>(
    db,
    sql`SELECT count(*)::integer AS contacts FROM registrations WHERE trunk_id = ${trunkId}::uuid AND expires_at > now()`,
  )
  return counted?.contacts ?? 0
}

const mostAtOnce = 1000

/** The marks that trunks let clients in with now, by trunk; those without digest users are left out. */
export async function currentMarks(db: Db, trunkIds: readonly string[]): Promise<Map<string, string>> {
  const ids = [...new Set(trunkIds)]
  const marks = new Map<string, string>()
  const { id, username, passwordEncrypted } = sipTrunks
  for (let start = 0; start < ids.length; start += mostAtOnce) {
    const some = inArray(sipTrunks.id, ids.slice(start, start + mostAtOnce))
    const trunks = await db
      .select({ id, username, passwordEncrypted })
      .from(sipTrunks)
      .where(and(some, eq(sipTrunks.authenticationMode, 'client_credentials')))
    for (const trunk of trunks) marks.set(trunk.id, registrationMark(trunk))
  }
  return marks
}

/** Tells a trunk's carrier that its client has come or gone; nobody when there is no such trunk any more. */
export async function tellOfClient(
  db: Db,
  type: 'sip_trunk.client_registered' | 'sip_trunk.client_unregistered',
  trunkId: string,
  { contact, userAgent }: Pick<RegistrationStatus, 'contact' | 'userAgent'>,
): Promise<void> {
  const [trunk] = await db
    .select({ carrierId: sipTrunks.carrierId })
    .from(sipTrunks)
    .where(eq(sipTrunks.id, trunkId))
  if (trunk === undefined) return
  const details = { contact, user_agent: userAgent }
  await recordEvent(db, { carrierId: trunk.carrierId, type, resourceId: trunkId, apiTokenId: null, details })
}
