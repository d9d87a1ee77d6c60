/** Name of the unique or foreign key constraint that a statement broke, or null when the error is anything else.
 * Both drivers tell it, each under its own name, and drizzle wraps the error in one of its own. */
export function brokenConstraint(error: unknown): string | null {
  for (const cause of causesOf(error)) {
    if (cause.code !== uniqueViolation && cause.code !== foreignKeyViolation) continue
    if ('constraint_name' in cause) return String(cause.constraint_name)
    if ('constraint' in cause) return String(cause.constraint)
  }
  return null
}

/** Whether a statement failed because the database is away, and not because of what was asked. */
export const isDatabaseAway = (error: unknown): boolean =>
  causesOf(error).some(({ code }) => typeof code === 'string' && away.test(code))

const uniqueViolation = '23505'
const foreignKeyViolation = '23503'

// The network's codes, the driver's, and PostgreSQL's classes for lost connections, too many of them and shutdown.
const away = /^(E(CONN|PIPE|TIMEDOUT|HOSTUNREACH|NOTFOUND|AI_AGAIN)|CONNECT|08|53300|57P0)/

function causesOf(error: unknown): { code?: unknown }[] {
  const causes: { code?: unknown }[] = []
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : null)
    causes.push(at)
  return causes
}
