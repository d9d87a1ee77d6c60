import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inOrder, limited } from '../../src/audio/limit.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('never more at once than allowed, everybody is served in turn, and the gate is free again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.nat(3), { maxLength: 12 }),
      async (most, times) => {
        let [running, highest] = [0, 0]
        const began: number[] = []
        const limits = { most, patienceMs: 5000 }
        const done = await Promise.all(
          times.map((ms, index) =>
            limited('property', limits, async () => {
              began.push(index)
              highest = Math.max(highest, ++running)
              await pause(ms)
              running--
              if (ms === 3) throw new Error('Work may fail.')
              return index
            }).catch(() => index),
          ),
        )
        expect(done).toEqual(times.map((_, index) => index))
        expect(began).toEqual(times.map((_, index) => index))
        expect(highest).toBeLessThanOrEqual(most)
      },
    ),
    { numRuns: 50 },
  )
})

test('whoever waits longer than the patience is not served, and takes no place of others', async () => {
  const limits = { most: 1, patienceMs: 30 }
  let free = () => {}
  const first = limited(
    'patience',
    limits,
    () => new Promise<string>((resolve) => (free = () => resolve('first'))),
  )
  expect(await limited('patience', limits, async () => 'second')).toBeNull()
  const third = limited('patience', limits, async () => 'third')
  free()
  expect(await Promise.all([first, third])).toEqual(['first', 'third'])
  expect(await limited('patience', limits, async () => 'fourth')).toBe('fourth')
})

test('what a call waits for goes first, also when the call comes later', async () => {
  const limits = { most: 1, patienceMs: 5000 }
  const began: string[] = []
  const wishes = { a: { urgent: false }, b: { urgent: false }, c: { urgent: false }, d: { urgent: true } }
  const done = Object.entries(wishes).map(([name, wish]) =>
    limited('urgent', limits, () => pause(5).then(() => began.push(name)), wish),
  )
  wishes.c.urgent = true
  await Promise.all(done)
  expect(began).toEqual(['a', 'c', 'd', 'b'])
})

test('so many at a time, in order, until nothing more is wanted', async () => {
  const began: number[] = []
  let [running, highest] = [0, 0]
  const work = async (item: number) => {
    began.push(item)
    highest = Math.max(highest, ++running)
    await pause(1)
    running--
  }
  await inOrder([1, 2, 3, 4, 5, 6, 7], 3, work)
  expect([began, highest]).toEqual([[1, 2, 3, 4, 5, 6, 7], 3])
  began.length = 0
  await inOrder([1, 2, 3, 4, 5, 6, 7], 3, work, () => began.length < 5)
  expect(began).toEqual([1, 2, 3, 4, 5])
})
