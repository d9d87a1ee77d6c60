import type { Db } from '../db/connect.ts'
import type { Commands } from '../event-socket/commands.ts'
import type { RegistrationStatus } from '../event-socket/status.ts'
import { toSipUser } from '../sip-uri.ts'
import { realm } from '../trunks/credentials.ts'
import { readMwiAccount } from '../trunks/registration-mark.ts'
import {
  type ContactKey,
  contactsAt,
  countContacts,
  currentMarks,
  lockContacts,
  removeContact,
  sharesCallId,
  storeContact,
  tellOfClient,
  trunkOfContact,
} from './client-queries.ts'
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
    await lockContacts(tx, marked.trunkId)
    const first = (await countContacts(tx, marked.trunkId)) === 0
    await storeContact(tx, self, marked, told)
    if (first && !stale) await tellOfClient(tx, 'sip_trunk.client_registered', marked.trunkId, told)
  })
  return stale ? marked.trunkId : null
}

/** Takes that a contact is gone: unregistered, expired or flushed. */
export async function clientGone(db: Db, self: SwitchOfRegion, key: ContactKey): Promise<void> {
  await db.transaction(async (tx) => {
    const trunkId = await trunkOfContact(tx, self, key)
    if (trunkId === null) return
    // Before the row, as whoever stores it does: the other way round each would wait for the other.
    await lockContacts(tx, trunkId)
    for (const contact of await removeContact(tx, self, trunkId, key))
      if ((await countContacts(tx, trunkId)) === 0)
        await tellOfClient(tx, 'sip_trunk.client_unregistered', trunkId, contact)
  })
}

/** Makes the table say what the switch says of all its contacts; gives the trunks that would not let some of them in. */
export async function checkClients(db: Db, self: SwitchOfRegion, commands: Commands): Promise<Set<string>> {
  const asked = new Date()
  const stale = new Set<string>()
  const told = await commands.registrations()
  if (told.kind !== 'done') return stale
  const known = new Map((await contactsAt(db, self)).map((contact) => [nameOf(contact), contact]))
  const marked = told.value.flatMap((registration) => {
    const read = readMwiAccount(registration.mark ?? '')
    return read === null ? [] : [{ registration, ...read }]
  })
  const trunkIds = marked.map(({ trunkId }) => trunkId)
  const current = await currentMarks(db, trunkIds)
  for (const { registration, trunkId, mark } of marked) {
    if (known.get(nameOf(registration))?.mark !== mark) await clientRegistered(db, self, registration)
    if (current.get(trunkId) !== mark) stale.add(trunkId)
  }
  const here = new Set(told.value.map(nameOf))
  for (const [name, contact] of known)
    if (!here.has(name) && contact.updatedAt < asked) await clientGone(db, self, contact)
  return stale
}

const nameOf = ({ username, registrationId }: ContactKey) => `${username} ${registrationId}`

/** Flushes the contacts of a trunk that its credentials would not let in any more: after a change, or its end. */
export async function flushStale(
  db: Db,
  self: SwitchOfRegion,
  commands: Commands,
  trunkId: string,
): Promise<void> {
  const registered = await contactsAt(db, self, trunkId)
  if (registered.length === 0) return
  const current = (await currentMarks(db, [trunkId])).get(trunkId)
  for (const contact of registered) {
    if (contact.mark === current) continue
    const alone = !(await sharesCallId(db, self, contact))
    if (await flush(commands, contact, alone)) await clientGone(db, self, contact)
  }
}

// One contact where its Call-ID tells it, so that a phone of the same user that has the new password already stays; else
// all of the user. True unless the switch was not reached.
async function flush(commands: Commands, contact: ContactKey, alone: boolean): Promise<boolean> {
  const user = toSipUser(contact.username)
  const one = alone ? await commands.flushContact(contact.registrationId, realm) : null
  if (one !== null && one.kind !== 'refused') return one.kind === 'done'
  return user === null || (await commands.flushUser(user, realm)).kind !== 'lost'
}
