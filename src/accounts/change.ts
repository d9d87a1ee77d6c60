import type { Db } from '../db/connect.ts'
import { changesOf } from '../db/rows.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import { type Metadata, mergeMetadata, metadataProblem } from '../metadata.ts'
import type { Keys } from '../secrets.ts'
import type { Account } from './account.ts'
import { deleteAccount, dependentsOf, hasTrunk, insertAccount, updateAccount } from './queries.ts'

/** What a carrier decides about an account. */
export type AccountSettings = Pick<
  Account,
  'name' | 'status' | 'sipTrunkId' | 'billingEnabled' | 'failover'
> & {
  /** Merged into what is there; null clears it. */
  metadata: Metadata | null
}

/** Creates an account of a carrier. With issues, known or found, nothing is stored. */
export async function createAccount(
  db: Db,
  keys: Keys,
  carrierId: string,
  settings: Partial<AccountSettings>,
  known: readonly Issue[],
): Promise<Outcome<Account>> {
  const { name = '', ...rest } = settings
  const metadata = mergeMetadata({}, settings.metadata ?? {})
  const issues = [...known, ...(await findIssues(db, carrierId, { ...settings, metadata }))]
  if (issues.length > 0) return refused('invalid', issues)
  return done(await insertAccount(db, keys, { ...rest, carrierId, name, metadata }))
}

/** Changes an account; new metadata is merged into what is there. */
export async function changeAccount(
  db: Db,
  account: Account,
  settings: Partial<AccountSettings>,
  known: readonly Issue[],
): Promise<Outcome<Account>> {
  const metadata = settings.metadata === null ? {} : mergeMetadata(account.metadata, settings.metadata ?? {})
  const issues = [...known, ...(await findIssues(db, account.carrierId, { ...settings, metadata }))]
  if (issues.length > 0) return refused('invalid', issues)
  const changes = changesOf(account, { ...settings, metadata })
  return done(changes === null ? account : await updateAccount(db, account, changes))
}

/** Deletes an account that nothing depends on. What does is named. */
export async function removeAccount(db: Db, account: Account): Promise<Outcome<null>> {
  const dependents = await dependentsOf(db, account)
  if (dependents.length > 0) return refused('invalid', dependents.map(inUse))
  await deleteAccount(db, account)
  return done(null)
}

const inUse = ({ kind, ids }: { kind: string; ids: string[] }) =>
  issue(
    [],
    'in_use',
    `cannot be deleted because dependent ${kind} exist`,
    `These depend on it: ${ids.slice(0, namedDependents).join(', ')}${ids.length > namedDependents ? ' and more' : ''}.`,
  )

const namedDependents = 3

async function findIssues(
  db: Db,
  carrierId: string,
  { metadata, sipTrunkId }: Partial<AccountSettings>,
): Promise<Issue[]> {
  const problem = metadataProblem(metadata ?? {})
  const unknownTrunk = sipTrunkId != null && !(await hasTrunk(db, carrierId, sipTrunkId))
  return [
    ...(problem === null ? [] : [issue(['metadata'], 'invalid', problem, `metadata ${problem}.`)]),
    ...(unknownTrunk ? [issue(['sipTrunkId'], 'invalid', 'is invalid', noSuchTrunk)] : []),
  ]
}

const noSuchTrunk = 'sip_trunk_id must be null or the id of one of your trunks.'
