import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  isSupportedCountry,
  type PhoneNumber as ParsedNumber,
} from 'libphonenumber-js'
import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import type { Db } from '../db/connect.ts'
import { changesOf } from '../db/rows.ts'
import { brokenConstraint } from '../db/violation.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import { shown } from './e164.ts'
import type { PhoneNumber } from './phone-number.ts'
import {
  assignmentsOf,
  deletePhoneNumber,
  insertPhoneNumber,
  phoneNumberByDigits,
  updatePhoneNumber,
} from './queries.ts'

/** What a carrier decides about a number; `number` in digits. */
export type PhoneNumberSettings = Pick<PhoneNumber, 'number' | 'type' | 'country' | 'visibility' | 'metadata'>

/** Who a number is for: whose country it has when nothing else tells. */
export type Owner = { id: string; countryCode: string }

/** Adds a number to a carrier's inventory. Type and country are found out where they are not given. */
export async function addPhoneNumber(
  db: Db,
  carrier: Owner,
  settings: Partial<PhoneNumberSettings>,
  known: readonly Issue[],
): Promise<Outcome<PhoneNumber>> {
  const { number } = settings
  if (number === undefined) return refused('invalid', known)
  const complete = { type: typeOf(number), country: countryOf(number, carrier), ...settings, number }
  const issues = [...known, ...findIssues(complete), ...(await findTaken(db, carrier.id, number))]
  if (issues.length > 0) return refused('invalid', issues)
  return settle(db, (tx) => insertPhoneNumber(tx, { ...complete, carrierId: carrier.id }))
}

/** Changes a number of the inventory. The number itself only as long as nobody ever had it: calls and assignments name
 * it. */
export async function changePhoneNumber(
  db: Db,
  phoneNumber: PhoneNumber,
  settings: Partial<PhoneNumberSettings>,
  known: readonly Issue[],
): Promise<Outcome<PhoneNumber>> {
  const changes = changesOf(phoneNumber, settings)
  const { number } = changes ?? {}
  const issues = [
    ...known,
    ...findIssues({ ...phoneNumber, ...settings }),
    ...(number === undefined ? [] : await findTaken(db, phoneNumber.carrierId, number)),
    ...(number === undefined || (await assignmentsOf(db, phoneNumber)).length === 0 ? [] : [assigned]),
  ]
  if (issues.length > 0) return refused('invalid', issues)
  if (changes === null) return done(phoneNumber)
  return settle(db, (tx) => updatePhoneNumber(tx, phoneNumber, changes))
}

/** Removes a number, with its released assignments, from the inventory unless an account has it. */
export async function removePhoneNumber(db: Db, phoneNumber: PhoneNumber): Promise<Outcome<null>> {
  const active = (await assignmentsOf(db, phoneNumber)).find(({ status }) => status === 'active')
  if (active !== undefined) return refused('invalid', [inUse(active.id)])
  await deletePhoneNumber(db, phoneNumber)
  return done(null)
}

const inUse = (id: string) =>
  issue(
    [],
    'in_use',
    'cannot be deleted because a dependent incoming phone number exists',
    `Release the incoming phone number ${id} first.`,
  )

const assigned = issue(
  ['number'],
  'in_use',
  'cannot be updated',
  'The number has been assigned to an account, so it stays as it is.',
)
const taken = issue(['number'], 'taken', 'already exists', 'The number is in your inventory already.')

const findTaken = async (db: Db, carrierId: string, number: string): Promise<Issue[]> =>
  (await phoneNumberByDigits(db, carrierId, number)) === null ? [] : [taken]

// In a savepoint: the transaction goes on when another request was faster with the same number.
async function settle(db: Db, write: (tx: Db) => Promise<PhoneNumber>): Promise<Outcome<PhoneNumber>> {
  try {
    return done(await db.transaction(write))
  } catch (error) {
    if (brokenConstraint(error) === 'phone_numbers_carrier_id_number_key') return refused('invalid', [taken])
    throw error
  }
}

const parse = (digits: string): ParsedNumber | undefined =>
  shown(digits).startsWith('+') ? parsePhoneNumberFromString(`+${digits}`) : undefined

function typeOf(digits: string): PhoneNumber['type'] {
  const parsed = parse(digits)
  if (parsed === undefined) return 'short_code'
  const type = parsed.getType()
  return type === 'TOLL_FREE' ? 'toll_free' : type === 'MOBILE' ? 'mobile' : 'local'
}

function countryOf(digits: string, carrier: Owner): string {
  const parsed = parse(digits)
  if (parsed === undefined || fits(parsed, carrier.countryCode)) return parsed?.country ?? carrier.countryCode
  return parsed.country ?? getCountries().find((country) => fits(parsed, country)) ?? carrier.countryCode
}

const fits = ({ countryCallingCode }: ParsedNumber, country: string): boolean =>
  isSupportedCountry(country) && getCountryCallingCode(country as CountryCode) === countryCallingCode

// A number that could be dialled from abroad is no short code, and the other way round.
function findIssues({ number, type, country }: Pick<PhoneNumber, 'number' | 'type' | 'country'>): Issue[] {
  const parsed = parse(number)
  const isShort = parsed === undefined
  const elsewhere = parsed !== undefined && !parsed.isNonGeographic() && !fits(parsed, country)
  return [
    ...(isShort === (type === 'short_code')
      ? []
      : [issue(['type'], 'invalid', 'is invalid', wrongType(isShort))]),
    ...(elsewhere
      ? [issue(['country'], 'invalid', 'is invalid', `+${number} is no number of ${country}.`)]
      : []),
  ]
}

const wrongType = (isShort: boolean) =>
  isShort
    ? 'A number that is not in E.164 format must be a short_code.'
    : 'An E.164 number cannot be a short_code.'
