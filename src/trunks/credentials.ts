import { createHash, randomInt } from 'node:crypto'
import { encrypt, type Keys, randomToken, tryDecrypt } from '../secrets.ts'
import type { Trunk } from './trunk.ts'

/** Realm of our own digest users: the switch challenges with it. */
export const realm = 'trunks'

/** HA1 of digest authentication (RFC 2617, 3.2.2.2), hex: what a directory answer carries instead of a password. */
export const digestHash = (username: string, digestRealm: string, password: string): string =>
  createHash('md5').update(`${username}:${digestRealm}:${password}`).digest('hex')

/** A user name for a `client_credentials` trunk, such as `icy-dream-4198`. Only the database knows whether it is free. */
export const newUsername = (): string =>
  `${pick(adjectives)}-${pick(nouns)}-${String(randomInt(10_000)).padStart(4, '0')}`

/** A password for a `client_credentials` trunk: 24 letters and digits. */
export const newPassword = (): string => randomToken(24)

/** A trunk's password, ready to be stored. */
export const encryptPassword = (keys: Keys, trunkId: string, password: string): Uint8Array =>
  encrypt(keys, `sip_trunks:${trunkId}`, password)

/** A trunk's password in clear, or null when it has none that can be read. */
export const passwordOf = (keys: Keys, trunk: Pick<Trunk, 'id' | 'passwordEncrypted'>): string | null =>
  trunk.passwordEncrypted === null
    ? null
    : tryDecrypt(keys, `sip_trunks:${trunk.id}`, trunk.passwordEncrypted)

function pick(words: readonly string[]): string {
  const word = words[randomInt(words.length)]
  if (word === undefined) throw new Error('A list of words must not be empty.')
  return word
}

const adjectives = (
  'amber autumn bold brave bright broad calm clear cold cool coral crimson crisp dark dawn deep divine dry early ' +
  'fair fancy fast fine floral fragrant free fresh frosty gentle golden grand green hidden holy icy jolly late ' +
  'little lively long lucky mellow misty morning mute noble odd old orange patient plain polished proud purple ' +
  'quick quiet rapid red round royal shiny shy silent silver small snowy soft solitary spring square steep still ' +
  'summer sweet tall tiny twilight wandering warm white wide wild winter wise young'
).split(' ')

const nouns = (
  'acorn bay beacon bird boat breeze bridge brook bush butterfly canyon cherry cliff cloud comet coral cove creek ' +
  'dawn delta dew dream dune dust ember falcon feather fern field fire firefly flower fog forest frog frost glade ' +
  'glitter grass grove harbor haze heart hill island lake leaf limit maple meadow mist moon morning mountain night ' +
  'oak ocean orchid paper pebble pine pond prairie rain reef resonance rice ridge river sea shadow shape silence ' +
  'sky smoke snow sound spring star stone stream sun sunset surf thunder tide tree truth union valley violet voice ' +
  'water wave wildflower wind wood'
).split(' ')
