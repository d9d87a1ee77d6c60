import { fromSid, type SidPrefix, toSid } from '../accounts/account.ts'
import { apiVersion } from '../webhooks/params.ts'

/** The path of something of an account, as bodies name it. */
export const pathOf = (accountId: string, ...below: string[]): string =>
  [`/${apiVersion}/Accounts`, toSid('AC', accountId), ...below].join('/')

/** The id that the last segment of a path means: a SID or a UUID, with or without `.json`; null when it is none. */
export const idIn = (prefix: SidPrefix, segment: string | undefined): string | null =>
  fromSid(prefix, (segment ?? '').replace(/\.json$/, ''))

/** A collection's path as routes name it: with and without `.json`. */
export const both = (path: string): string[] => [path, `${path}.json`]
