/** Twilio's prefixes of identifiers (contract section 3). */
export type SidPrefix = 'AC' | 'CA' | 'PN' | 'RE'

/** A UUID in Twilio's form: the prefix and its 32 hex digits. */
export const toSid = (prefix: SidPrefix, id: string): string => `${prefix}${id.replaceAll('-', '')}`

/** The UUID that a text means, in Twilio's form or as it is (contract section 3), or null. */
export function fromSid(prefix: SidPrefix, text: string): string | null {
  const hex = text.startsWith(prefix) ? text.slice(prefix.length) : text.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/i.test(hex)) return null
  if (!text.startsWith(prefix) && !isUuid(text)) return null
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Whether a text is a UUID, in any case of letters. */
export const isUuid = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)
