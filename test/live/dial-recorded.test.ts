import { expect, test } from 'vitest'
import { lineThatDials, useFarEnds } from './support/dialling.ts'
import { hangsUpAfter } from './support/line.ts'
import { until } from './support/programs.ts'
import { useWorld } from './support/world.ts'

// A Dial that is recorded from the answer has a recording once somebody answers (pbx/freeswitch.xml), and not before.

const world = useWorld()
useFarEnds(world)
const events: ('in-progress' | 'completed' | 'absent')[] = ['in-progress', 'completed', 'absent']
const recorded = {
  ...{ timeout: 3, record: 'record-from-answer' as const },
  ...{ recordingStatusCallback: 'told', recordingStatusCallbackEvent: events },
}
const lineTo = async (number: string) => {
  const line = await lineThatDials(world, [number], recorded)
  line.answers('told', '')
  return line
}

test.concurrent.each([
  ['is busy', '+16505550486', 'busy'],
  ['has no gateway', '+16525550001', 'failed'],
  ['lets it ring', '+16505550180', 'no-answer'],
])('nobody answers: who is called %s', async (_, number, status) => {
  const line = await lineTo(number)
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  expect(params.DialCallStatus).toBe(status)
  expect(params).not.toHaveProperty('RecordingUrl')
  await line.ended('completed')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await line.client.recordings.list()).toEqual([])
  expect(line.asked('told')).toEqual([])
})

test.concurrent('nor where the caller does not wait', async () => {
  const line = await lineTo('+16505550180')
  const { sipp } = await line.call(hangsUpAfter(1500))
  expect(await sipp.result()).toBe(0)
  expect((await line.isAsked('dialled')).params.DialCallStatus).toBe('canceled')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await line.client.recordings.list()).toEqual([])
  expect(line.asked('told')).toEqual([])
})

test.concurrent('somebody answers: it begins then, and holds what was said', async () => {
  const line = await lineTo('+16505550200')
  const { sipp } = await line.call()
  const begun = await line.isAsked('told')
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  const done = await line.isAsked('told', 2)
  expect([begun, done].map(({ params }) => params.RecordingStatus)).toEqual(['in-progress', 'completed'])
  expect(done.atMs - begun.atMs).toBeGreaterThan(700)
  expect(params).toMatchObject({ RecordingSid: done.params.RecordingSid, DialCallStatus: 'completed' })
  const file = await fetch(`${params.RecordingUrl}.wav`)
  const samples = new Int16Array((await file.arrayBuffer()).slice(44))
  expect(samples.length / 8000).toBeGreaterThan(0.7)
  expect(samples.some((sample) => Math.abs(sample) > 1000)).toBe(true)
})

test('in one call each Dial has its own recording', async () => {
  const number = '+16505550200'
  const line = await lineTo(number)
  line.answers(
    'dialled',
    `<Response><Dial record="record-from-answer" action="again">${number}</Dial></Response>`,
  )
  line.answers('again', `<Response><Dial action="over">${number}</Dial></Response>`)
  line.answers('over', '<Response/>')
  const { sipp } = await line.call()
  const asked = [await line.isAsked('dialled'), await line.isAsked('again'), await line.isAsked('over')]
  const [first, second, third] = asked.map(({ params }) => params.RecordingSid)
  expect(await sipp.result()).toBe(0)
  expect(third).toBeUndefined()
  expect(first).not.toBe(second)
  const sids = await until('both are there', async () => {
    const recordings = await line.client.recordings.list()
    return recordings.length === 2 ? recordings.map(({ sid }) => sid) : undefined
  })
  expect(sids).toEqual([second, first])
})
