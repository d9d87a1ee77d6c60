import type { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Db } from '../../src/db/connect.ts'
import { takeNext } from '../../src/outbound/queries.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'

let placing: Placing
beforeAll(async () => {
  placing = await startPlacing(0)
})
afterAll(() => placing.close())

// The embedded database has one connection, which is this process.
describe.skipIf(process.env.TEST_DATABASE_URL === undefined)(
  'a process that freezes while it takes a call',
  () => {
    test('holds the queue of its trunk up for ten seconds and no longer', async () => {
      const { db } = placing.platform
      const trunk = await placing.trunk({ outboundHost: 'pbx.example.com' })
      const id = await placing.order('+14155551234')
      let locked = () => {}
      const atLock = new Promise<void>((resolve) => {
        locked = resolve
      })
      const freezing = new Proxy(db, {
        get: (target, name) => {
          if (name !== 'transaction') return Reflect.get(target, name)
          return (deed: (tx: Db) => Promise<unknown>) =>
            target.transaction((tx) => {
              let statements = 0
              const frozen = new Proxy(tx, {
                get: (inner, member) => {
                  if (member !== 'execute') return Reflect.get(inner, member)
                  return async (query: ReturnType<typeof sql>) => {
                    if (statements++ === 0) return inner.execute(query)
                    locked()
                    await new Promise((resolve) => setTimeout(resolve, 13_000))
                    return inner.execute(query)
                  }
                },
              })
              return deed(frozen)
            })
        },
      })
      const dead = takeNext(freezing, trunk.id, 's1').then(
        () => 'taken',
        () => 'failed',
      )
      await atLock
      expect(await takeNext(db, trunk.id, 's1')).toBeNull()
      await eventually(async () => expect(await takeNext(db, trunk.id, 's1')).toMatchObject({ id }), 12_500)
      expect(await dead).toBe('failed')
      expect(await placing.call(id)).toMatchObject({ status: 'initiated' })
    }, 30_000)
  },
)
