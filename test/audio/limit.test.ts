import fc from 'fast-check'
import { expect, test } from 'vitest'
import { limited } from '../../src/audio/limit.ts'

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
