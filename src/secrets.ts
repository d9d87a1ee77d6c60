import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  randomInt,
  timingSafeEqual,
} from 'node:crypto'

/** Keys derived from ENCRYPTION_KEY: one to encrypt at rest, one to make unguessable names. */
export type Keys = { encryption: Buffer; naming: Buffer }

/** Derives the working keys from the 32 bytes of ENCRYPTION_KEY (HKDF-SHA256, RFC 5869). */
export function deriveKeys(masterKey: Uint8Array): Keys {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', masterKey, '', purpose, 32))
  return { encryption: derive('encryption at rest'), naming: derive('unguessable names') }
}

const ivBytes = 12
const tagBytes = 16

/** Encrypts a text with AES-256-GCM: IV, tag and ciphertext in one. `owner` (table and row id) must be given again to
 * decrypt, so that a ciphertext moved to another row is refused. */
export function encrypt(keys: Keys, owner: string, text: string): Uint8Array {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', keys.encryption, iv).setAAD(Buffer.from(owner))
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), encrypted])
}

/** Gives the text that `encrypt` was given; throws when the key, the owner or the bytes are not the same. */
export function decrypt(keys: Keys, owner: string, encrypted: Uint8Array): string {
  const bytes = Buffer.from(encrypted)
  const decipher = createDecipheriv('aes-256-gcm', keys.encryption, bytes.subarray(0, ivBytes))
    .setAAD(Buffer.from(owner))
    .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
  return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString(
    'utf8',
  )
}

/** The same, or null where it cannot be read: it was written with another key, or is damaged. */
export function tryDecrypt(keys: Keys, owner: string, encrypted: Uint8Array): string | null {
  try {
    return decrypt(keys, owner, encrypted)
  } catch {
    return null
  }
}

/** An unguessable name for a thing that can be told again from the thing itself: 32 hex digits of a keyed hash. */
export function nameFor(keys: Keys, purpose: string, thing: string): string {
  return createHmac('sha256', keys.naming).update(`${purpose}\0${thing}`).digest('hex').slice(0, 32)
}

/** SHA-256, hex: how API tokens are stored (contract section 4). */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Whether two texts are equal, in a time that does not tell how far they agree. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)))
}

const tokenAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A random text of letters and digits: a password or token that needs no quoting anywhere. */
export function randomToken(length: number): string {
  return Array.from({ length }, () => tokenAlphabet[randomInt(tokenAlphabet.length)]).join('')
}
