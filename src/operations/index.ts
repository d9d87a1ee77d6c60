import { Hono } from 'hono'
import type { Platform } from '../platform.ts'
import { gaugesFor } from './gauges.ts'
import { readinessOf } from './readiness.ts'

/** `/health`, whether the process is alive, and `/ready`, whether it can work: for the public listener. */
export function operations(platform: Platform): Hono {
  const door = new Hono()
  const ready = readinessOf(platform)
  door.get('/health', (c) => c.json({ status: 'ok', uptime_seconds: Math.floor(process.uptime()) }))
  door.get('/ready', async (c) => {
    const report = await ready()
    return c.json(report, report.status === 'not ready' ? 503 : 200, { 'Cache-Control': 'no-store' })
  })
  return door
}

/** `/metrics` in Prometheus' text format: for the switch listener, since it tells how much the platform does. */
export function metrics(platform: Platform): Hono {
  const door = new Hono()
  const gauges = gaugesFor(platform)
  const { registry } = platform.metrics
  door.get('/metrics', async (c) =>
    c.body(`${await gauges()}\n${await registry.metrics()}`, 200, { 'Content-Type': registry.contentType }),
  )
  return door
}
