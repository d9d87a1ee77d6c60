/** The path to the first text that PostgreSQL cannot store (NUL, a lone surrogate), in keys as in values, or null. */
export function unstorable(value: unknown): (string | number)[] | null {
  if (typeof value === 'string') return isStorable(value) ? null : []
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    if (!isStorable(key)) return []
    const path = unstorable(inner)
    if (path !== null) return [Array.isArray(value) ? Number(key) : key, ...path]
  }
  return null
}

/** Whether PostgreSQL can store a text. */
export const isStorable = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text)
