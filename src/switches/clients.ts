import { and, eq, inArray, sql } from 'drizzle-orm'
import { recordEvent } from '../db/audit.ts'
import { type Db, rows } from '../db/connect.ts'
import { registrations, sipTrunks } from '../db/schema.ts'
import type { Commands } from '../event-socket/commands.ts'
import type { RegistrationStatus } from '../event-socket/status.ts'
import { toSipUser } from '../sip-uri.ts'
import { realm } from '../trunks/credentials.ts'
import { readMwiAccount, registrationMark } from '../trunks/registration-mark.ts'
import type { SwitchOfRegion } from './hold.ts'

// Clients of client_credentials trunks: what the switch has in its registrar stands in `registrations`, and what old
// credentials let in is flushed from the switch (freeswitch.md 2.3).

/** Takes a contact that a client has registered or renewed. Gives its trunk when that would not let it in any more: its
 * user name or password is another, or it has none. */
export async function clientRegistered(
  db: Db,
  self: SwitchOfRegion,
  told: RegistrationStatus,
): Promise<string | null> {
  const marked = readMwiAccount(told.mark ?? '')
  if (marked === null) return null
  const stale = (await currentMarks(db, [marked.trunkId])).get(marked.trunkId) !== marked.mark
  await db.transaction(async (tx) => {
    const first = (await countContacts(tx, marked.trunkId)) === 0
    await upsert(tx, self, marked, told)
    if (first && !stale) await tell(tx, 'sip_trunk.client_registered', marked.trunkId, told)
  })
  return stale ? marked.trunkId : null
}

/** Takes that a contact is gone: unregistered, expired or flushed. */
export async function clientGone(db: Db, self: SwitchOfRegion, registrationId: string): Promise<void> {
  await db.transaction(async (tx) => {
    const gone = await tx
      .delete(registrations)
      .where(and(eq(registrations.switchId, self.id), eq(registrations.registrationId, registrationId)))
      .returning()
    for (const registration of gone)
      if ((await countContacts(tx, registration.trunkId)) === 0)
        await tell(tx, 'sip_trunk.client_unregistered', registration.trunkId, registration)
  })
}

/** Makes the table say what the switch says of all its contacts; gives the trunks that would not let some of them in. */
export async function checkClients(db: Db, self: SwitchOfRegion, commands: Commands): Promise<Set<string>> {
  const asked = new Date()
  const stale = new Set<string>()
  const told = await commands.registrations()
  if (told.kind !== 'done') return stale
  const known = await knownContacts(db, self)
  const marked = told.value.flatMap((registration) => {
    const read = readMwiAccount(registration.mark ?? '')
    return read === null ? [] : [{ registration, ...read }]
  })
  const trunkIds = marked.map(({ trunkId }) => trunkId)
  const current = await currentMarks(db, trunkIds)
  for (const { registration, trunkId, mark } of marked) {
    if (known.get(registration.registrationId)?.mark !== mark) await clientRegistered(db, self, registration)
    if (current.get(trunkId) !== mark) stale.add(trunkId)
  }
  const here = new Set(told.value.map(({ registrationId }) => registrationId))
  for (const [registrationId, { updatedAt }] of known)
    if (!here.has(registrationId) && updatedAt < asked) await clientGone(db, self, registrationId)
  return stale
}

/** Flushes the contacts of a trunk that its credentials would not let in any more: after a change, or its end. */
export async function flushStale(
  db: Db,
  self: SwitchOfRegion,
  commands: Commands,
  trunkId: string,
): Promise<void> {
  const registered = await db
    .select()
    .from(registrations)
    .where(and(eq(registrations.switchId, self.id), eq(registrations.trunkId, trunkId)))
  if (registered.length === 0) return
  const current = (await currentMarks(db, [trunkId])).get(trunkId)
  for (const { mark, registrationId, username } of registered) {
    if (mark === current) continue
    const user = toSipUser(username)
    const flushed = await commands.flushContact(registrationId)
    if (flushed.kind === 'refused' && user !== null) await commands.flushUser(user, realm)
    if (flushed.kind !== 'lost') await clientGone(db, self, registrationId)
  }
}

const knownContacts = async (db: Db, self: SwitchOfRegion) => {
  const found = await db.select().from(registrations).where(eq(registrations.switchId, self.id))
  return new Map(found.map((registration) => [registration.registrationId, registration]))
}

const mostAtOnce = 1000

// By trunk, of those that have digest users.
async function currentMarks(db: Db, trunkIds: readonly string[]): Promise<Map<string, string>> {
  const ids = [...new Set(trunkIds)]
  const marks = new Map<string, string>()
  for (let start = 0; start < ids.length; start += mostAtOnce) {
    const some = inArray(sipTrunks.id, ids.slice(start, start + mostAtOnce))
    const trunks = await db
      .select({
        id: sipTrunks.id,
        username: sipTrunks.username,
        passwordEncrypted: sipTrunks.passwordEncrypted,
      })
      .from(sipTrunks)
      .where(and(some, eq(sipTrunks.authenticationMode, 'client_credentials')))
    for (const trunk of trunks) marks.set(trunk.id, registrationMark(trunk))
  }
  return marks
}

async function countContacts(db: Db, trunkId: string): Promise<number> {
  const [counted] = await rows<{ contacts: number }>(
    db,
    sql`SELECT count(*)::integer AS contacts FROM registrations WHERE trunk_id = ${trunkId}::uuid AND expires_at > now()`,
  )
  return counted?.contacts ?? 0
}

// A client that comes back with another Call-ID takes the place of its old contact, of which the switch says nothing.
async function upsert(
  tx: Db,
  self: SwitchOfRegion,
  { trunkId, mark }: { trunkId: string; mark: string },
  {
    registrationId,
    username,
    contact,
    userAgent,
    networkIp,
    networkPort,
    expiresSeconds,
  }: RegistrationStatus,
): Promise<void> {
  const row = {
    ...{ trunkId, mark, username, contact, userAgent, networkIp, networkPort },
    expiresAt: sql`now() + ${expiresSeconds}::integer * interval '1 second'`,
    updatedAt: new Date(),
  }
  await tx
    .delete(registrations)
    .where(
      and(
        eq(registrations.switchId, self.id),
        eq(registrations.trunkId, trunkId),
        eq(registrations.contact, contact),
        sql`registration_id <> ${registrationId}`,
      ),
    )
  await tx
    .insert(registrations)
    .values({ ...row, switchId: self.id, registrationId })
    .onConflictDoUpdate({ target: [registrations.switchId, registrations.registrationId], set: row })
}

async function tell(
  db: Db,
  type: string,
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
