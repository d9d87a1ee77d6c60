import type { Platform } from '../platform.ts'
import { digestHash, passwordOf } from '../trunks/credentials.ts'
import { clientTrunkByUsername } from '../trunks/queries.ts'
import { registrationMark, toMwiAccount } from '../trunks/registration-mark.ts'
import { element, notFoundDocument, param, printDocument } from './document.ts'
import type { DigestFetch } from './xml-fetch.ts'

/** The digest user of a `client_credentials` trunk. Both params are always there: without them FreeSWITCH accepts the
 * user with no password at all (freeswitch.md 3.2). */
export async function directoryDocument(platform: Platform, fetch: DigestFetch): Promise<string> {
  if (!realmForm.test(fetch.realm) || !realmForm.test(fetch.domain)) return notFoundDocument
  const trunk = await clientTrunkByUsername(platform.db, fetch.username)
  if (!trunk?.passwordEncrypted || trunk.username === null) return notFoundDocument
  const password = passwordOf(platform.keys, trunk)
  if (password === null) {
    platform.log.error({ trunkId: trunk.id }, 'The password of a trunk cannot be read: nobody can log in')
    return notFoundDocument
  }
  const user = element('user', { id: trunk.username }, [
    element('params', {}, [
      param('a1-hash', digestHash(trunk.username, fetch.realm, password)),
      param('allow-empty-password', 'false'),
    ]),
    element('variables', {}, [
      element('variable', { name: 'user_context', value: 'inbound' }),
      element('variable', { name: 'trunk_id', value: trunk.id }),
      // Kept with the registration: tells one that old credentials let in (switches/clients.ts).
      element('variable', { name: 'mwi-account', value: toMwiAccount(registrationMark(trunk)) }),
    ]),
  ])
  return printDocument('directory', [element('domain', { name: fetch.domain }, [user])])
}

const realmForm = /^[A-Za-z0-9.:[\]-]{1,253}$/
