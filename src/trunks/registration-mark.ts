import { createHash } from 'node:crypto'
import { realm } from './credentials.ts'
import type { Trunk } from './trunk.ts'

/** What a client's credentials are told by: another user name or password gives another mark. The switch keeps it with
 * each registration that they let in (as the user's mwi-account, which nothing else uses here). */
export const registrationMark = (trunk: Pick<Trunk, 'id' | 'username' | 'passwordEncrypted'>): string =>
  `${trunk.id}.${fingerprint(trunk)}`

/** The mark as the directory's variable `mwi-account` takes it: `user@domain`. */
export const toMwiAccount = (mark: string): string => `${mark}@${realm}`

/** The mark in an mwi-account and the trunk that it names; null when we did not write it. */
export function readMwiAccount(account: string): { mark: string; trunkId: string } | null {
  const match = /^(([0-9a-f-]{36})\.[0-9a-f]{32})@/.exec(account)
  return match?.[1] && match[2] ? { mark: match[1], trunkId: match[2] } : null
}

// The password is encrypted anew, with another IV, only when it is changed (trunks/change.ts).
function fingerprint({ username, passwordEncrypted }: Pick<Trunk, 'username' | 'passwordEncrypted'>): string {
  const hash = createHash('sha256').update(`${username}\0`)
  return hash
    .update(passwordEncrypted ?? '')
    .digest('hex')
    .slice(0, 32)
}
