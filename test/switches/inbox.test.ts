import { expect, test } from 'vitest'
import { createInbox } from '../../src/switches/inbox.ts'

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

test('what comes about one thing is done in order, also after a failure', async () => {
  const failures: unknown[] = []
  const inbox = createInbox(4, (err) => failures.push(err))
  const done: string[] = []
  for (const about of ['a', 'b', 'c'])
    for (let n = 0; n < 5; n++)
      inbox.add(about, async () => {
        await pause(Math.random() * 10)
        if (n === 2) throw new Error(about)
        done.push(`${about}${n}`)
      })
  await inbox.empty()
  for (const about of ['a', 'b', 'c'])
    expect(done.filter((name) => name.startsWith(about))).toEqual([0, 1, 3, 4].map((n) => `${about}${n}`))
  expect(failures).toHaveLength(3)
})

test('one that is stuck holds up few of the others', async () => {
  const inbox = createInbox(4, () => {})
  let release = () => {}
  inbox.add('stuck', () => new Promise<void>((resolve) => (release = resolve)))
  let done = 0
  for (let n = 0; n < 400; n++) inbox.add(`channel ${n}`, async () => void done++)
  await pause(50)
  expect(done).toBeGreaterThan(200)
  expect(done).toBeLessThan(400)
  release()
  await inbox.empty()
  expect(done).toBe(400)
})

test('what comes while 20,000 wait is dropped', async () => {
  const failures: unknown[] = []
  const inbox = createInbox(4, (err) => failures.push(err))
  let done = 0
  for (let n = 0; n < 20_010; n++) inbox.add(`channel ${n}`, async () => void done++)
  await inbox.empty()
  expect([done, failures.length]).toEqual([20_000, 10])
})
