import type { Context } from 'hono'
import { type Reading, readParameters, refuse } from './parameters.ts'

/** The parameters that are posted; a body of another kind than a form is a problem. */
export async function readForm(c: Context): Promise<Reading> {
  const body = await c.req.text()
  const reading = readParameters(body)
  const type = c.req.header('content-type')?.toLowerCase() ?? ''
  if (body !== '' && type !== '' && !type.startsWith('application/x-www-form-urlencoded'))
    refuse(reading, 20001, 'Parameters must be sent as application/x-www-form-urlencoded')
  return reading
}

/** The parameters of the query string. */
export const readQuery = (c: Context): Reading => readParameters(new URL(c.req.url).search)
