/** Name of the unique or foreign key constraint that a statement broke, or null when the error is anything else.
 * Both drivers tell it, each under its own name, and drizzle wraps the error in one of its own. */
export function brokenConstraint(error: unknown): string | null {
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : null) {
    if (!('code' in at) || (at.code !== uniqueViolation && at.code !== foreignKeyViolation)) continue
    if ('constraint_name' in at) return String(at.constraint_name)
    if ('constraint' in at) return String(at.constraint)
  }
  return null
}

const uniqueViolation = '23505'
const foreignKeyViolation = '23503'
