const mostBytes = 16 * 1024

/** A JSON object of a customer's own. */
export type Metadata = Record<string, unknown>

/** What a JSON merge patch (RFC 7396) makes of metadata: objects merge at every depth, null removes. */
export function mergeMetadata(before: Metadata, patch: Metadata): Metadata {
  const merged = new Map(Object.entries(before))
  for (const [key, value] of Object.entries(patch)) {
    const old = merged.get(key)
    if (value === null) merged.delete(key)
    else merged.set(key, isObject(value) ? mergeMetadata(isObject(old) ? old : {}, value) : value)
  }
  // `fromEntries` defines properties, so a key like `__proto__` is one key more and nothing else.
  return Object.fromEntries(merged)
}

/** What makes metadata unfit to be stored, or null: it is bounded, and JSON:API 1.1 keeps two names for itself. */
export function metadataProblem(metadata: Metadata): string | null {
  if (Buffer.byteLength(JSON.stringify(metadata)) > mostBytes)
    return `size cannot be greater than ${mostBytes} bytes`
  return hasReservedName(metadata) ? 'must not have the names links or relationships' : null
}

function hasReservedName(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const reserved = isObject(value) && (Object.hasOwn(value, 'links') || Object.hasOwn(value, 'relationships'))
  return reserved || Object.values(value).some(hasReservedName)
}

/** Whether a JSON value is an object and no array. */
export const isObject = (value: unknown): value is Metadata =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
