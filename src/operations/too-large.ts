import type { IncomingMessage } from 'node:http'
import type { MiddlewareHandler } from 'hono'

const mostBytes = 64 * 1024 * 1024
const mostMilliseconds = 2000

/** Reads the rest of a body that was refused for its size, within bounds, before the refusal is sent: a client that is
 * still sending would see the connection reset instead of it, and so would its next request on the same connection. */
export const readTooLarge: MiddlewareHandler<{ Bindings: { incoming?: IncomingMessage } }> = async (
  c,
  next,
) => {
  await next()
  if (c.res.status === 413 && !(await readRest(c.env?.incoming))) c.header('Connection', 'close')
}

function readRest(incoming: IncomingMessage | undefined): Promise<boolean> {
  if (incoming === undefined || incoming.complete) return Promise.resolve(incoming !== undefined)
  return new Promise((resolve) => {
    let bytes = 0
    const timer = setTimeout(() => resolve(false), mostMilliseconds)
    const settle = (whole: boolean) => {
      clearTimeout(timer)
      resolve(whole)
    }
    // Whoever read the body has stopped, and would hold it back.
    incoming.removeAllListeners('data')
    incoming.on('data', ({ length }: Buffer) => {
      bytes += length
      if (bytes > mostBytes) settle(false)
    })
    incoming.once('end', () => settle(true))
    incoming.once('close', () => settle(false))
    incoming.resume()
  })
}
