import { randomBytes } from 'node:crypto'
import { and, desc, eq, isNull } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { accounts, apiTokens, carriers } from '../db/schema.ts'
import { decrypt, encrypt, type Keys, randomToken, sha256, tryDecrypt } from '../secrets.ts'
import type { Account, Carrier } from './account.ts'

/** An API token as its carrier may see it: never the token itself. */
export type ApiToken = { id: string; carrierId: string; revokedAt: Date | null; createdAt: Date }

/** Who a carrier API token speaks for. */
export type Bearer = { carrier: Carrier; apiTokenId: string }

/** Issues another API token for a carrier. The text is given this once; the database keeps its SHA-256 only. */
export async function issueApiToken(db: Db, carrierId: string): Promise<ApiToken & { token: string }> {
  const token = randomToken(40)
  const [row] = await db
    .insert(apiTokens)
    .values({ carrierId, tokenHash: sha256(token) })
    .returning()
  if (row === undefined) throw new Error('An inserted API token must come back.')
  return { id: row.id, carrierId, revokedAt: null, createdAt: row.createdAt, token }
}

/** The carrier that a token belongs to, or null when there is no such token or it was revoked. */
export async function carrierByToken(db: Db, token: string): Promise<Bearer | null> {
  const [row] = await db
    .select({ carrier: carriers, apiTokenId: apiTokens.id })
    .from(apiTokens)
    .innerJoin(carriers, eq(carriers.id, apiTokens.carrierId))
    .where(and(eq(apiTokens.tokenHash, sha256(token)), isNull(apiTokens.revokedAt)))
  return row ?? null
}

const mostTokensListed = 100

/** A carrier's tokens in force, newest first. */
export const apiTokensOf = (db: Db, carrierId: string): Promise<ApiToken[]> =>
  db
    .select({
      id: apiTokens.id,
      carrierId: apiTokens.carrierId,
      revokedAt: apiTokens.revokedAt,
      createdAt: apiTokens.createdAt,
    })
    .from(apiTokens)
    .where(and(eq(apiTokens.carrierId, carrierId), isNull(apiTokens.revokedAt)))
    .orderBy(desc(apiTokens.createdAt))
    .limit(mostTokensListed)

/** Revokes a carrier's token from now on; false when the carrier has no such token in force. */
export async function revokeApiToken(db: Db, carrierId: string, id: string): Promise<boolean> {
  const revoked = await db
    .update(apiTokens)
    .set({ revokedAt: new Date(), updatedAt: new Date() })
    .where(and(eq(apiTokens.id, id), eq(apiTokens.carrierId, carrierId), isNull(apiTokens.revokedAt)))
    .returning({ id: apiTokens.id })
  return revoked.length === 1
}

/** A new auth token of an account: 32 hex digits, as Twilio's. */
export const newAuthToken = (): string => randomBytes(16).toString('hex')

/** An account's auth token, ready to be stored. */
export const encryptAuthToken = (keys: Keys, accountId: string, token: string): Uint8Array =>
  encrypt(keys, `accounts:${accountId}`, token)

/** The auth token of an account, in clear. */
export const authTokenOf = (keys: Keys, account: Pick<Account, 'id' | 'authTokenEncrypted'>): string =>
  decrypt(keys, `accounts:${account.id}`, account.authTokenEncrypted)

/** The same, or null where it cannot be read. */
export const readableAuthTokenOf = (
  keys: Keys,
  account: Pick<Account, 'id' | 'authTokenEncrypted'>,
): string | null => tryDecrypt(keys, `accounts:${account.id}`, account.authTokenEncrypted)

/** Whether the stored auth tokens of the first accounts can be read with these keys, of whichever carrier. */
export async function tryAuthTokens(db: Db, keys: Keys, most: number): Promise<boolean[]> {
  const found = await db
    .select({ id: accounts.id, authTokenEncrypted: accounts.authTokenEncrypted })
    .from(accounts)
    .limit(most)
  return found.map((account) => readableAuthTokenOf(keys, account) !== null)
}
