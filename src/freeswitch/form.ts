/** Fields of a posted form by name. */
export type Form = ReadonlyMap<string, string>

/** Why a body is no form that FreeSWITCH sent. */
export type FormProblem = { problem: string }

const mostBytes = 1024 * 1024
const mostFields = 4000

/** Reads the body of a mod_xml_curl request. FreeSWITCH does not encode names and prints the first five values raw, so a
 * SIP header or digest realm with `&` in it can add fields (freeswitch.md 3.5, 4.4): a name that comes twice, in
 * whatever spelling, or a piece without `=` is a forgery or no form, and the whole body is refused. */
export function readForm(body: string): Form | FormProblem {
  if (body.length > mostBytes) return { problem: `The body is over ${mostBytes} bytes.` }
  const pieces = body.replaceAll('\0', '\ufffd').split('&')
  if (pieces.length > mostFields) return { problem: `The form has more than ${mostFields} fields.` }
  const form = new Map<string, string>()
  for (const piece of pieces) {
    const equals = piece.indexOf('=')
    if (equals < 1) return { problem: `Expected name=value, got ${JSON.stringify(piece.slice(0, 80))}.` }
    const name = decode(piece.slice(0, equals))
    if (form.has(name)) return { problem: `The field ${JSON.stringify(name.slice(0, 80))} comes twice.` }
    form.set(name, decode(piece.slice(equals + 1)))
  }
  return form
}

// A caller's display name may hold bytes that are no UTF-8: they become U+FFFD, as in the rest of the body; a `%` that
// starts no escape stays. NUL becomes U+FFFD too: PostgreSQL cannot hold it. `+` is a plus: FreeSWITCH writes a space as %20.
function decode(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8').replaceAll('\0', '\ufffd'),
  )
}
