import type { MiddlewareHandler } from 'hono'

/** Lets only requests pass whose Host has the label first (`api.example.com`); to all others there is nothing here.
 * An empty label lets everything pass (contract section 2, API_SUBDOMAIN). */
export const apiHost =
  (label: string): MiddlewareHandler =>
  async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (label !== '' && host.split('.')[0]?.toLowerCase() !== label.toLowerCase()) return c.notFound()
    await next()
  }
