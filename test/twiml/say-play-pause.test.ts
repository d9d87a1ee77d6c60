import { describe, expect, test } from 'vitest'
import { actionsOf, callId, segmentOf, twiml, verbsOf, warningsOf } from './compile.ts'

const audio = (name: string) => `http://switch:3001/freeswitch/audio/${name}.wav`
const begin = ['set playback_terminators=none', 'answer']
const end = 'hangup NORMAL_CLEARING'

describe('Say', () => {
  test('is answered, played, and the end of the document ends the call', () => {
    expect(actionsOf(twiml((r) => r.say('Hello, world.')))).toEqual([
      ...begin,
      `playback ${audio('say-woman-en-US-hello_world_')}`,
      end,
    ])
  })

  test('blanks are folded, entities and CDATA read, comments left out, SSML flattened', () => {
    const document =
      '<Response><Say>\n  Tom &amp; &#74;erry<!-- no -->\n\t<![CDATA[<eat>]]>  <p>now <break time="1s"/><s>and</s></p> then </Say></Response>'
    expect(verbsOf(document)).toMatchObject([{ source: { text: 'Tom & Jerry <eat> now and then' } }])
  })

  test.each([
    [{}, 'woman', 'en-US'],
    [{ voice: 'man' as const }, 'man', 'en-US'],
    [{ voice: 'woman' as const, language: 'fr-FR' as const }, 'woman', 'fr-FR'],
    [{ voice: 'alice' as const, language: 'de-DE' as const }, 'woman', 'de-DE'],
    [{ voice: 'Polly.Brian' as const }, 'man', 'en-GB'],
    [{ voice: 'Polly.Joanna-Neural' as const }, 'woman', 'en-US'],
    [{ voice: 'Polly.Mia' as const, language: 'es-ES' as const }, 'woman', 'es-ES'],
    [{ voice: 'Google.fr-CA-Standard-B' as const }, 'man', 'fr-CA'],
    [{ voice: 'Google.de-DE-Wavenet-A' as const }, 'woman', 'de-DE'],
  ])('%j is spoken by a %s in %s', (attributes, voice, language) => {
    expect(verbsOf(twiml((r) => r.say(attributes, 'x')))).toMatchObject([{ source: { voice, language } }])
  })

  test.each([
    ['nobody', 'xx-YY', 'woman', 'en-US'],
    ['Polly.Nobody', 'en', 'woman', 'en-US'],
    ['Google.zz', 'EN_gb', 'woman', 'en-GB'],
    ['MAN', 'pt', 'man', 'pt-BR'],
    ['', '', 'woman', 'en-US'],
    ['constructor', 'constructor', 'woman', 'en-US'],
    ['Polly.toString', '__proto__', 'woman', 'en-US'],
  ])('what is not known (%s, %s) falls back to %s and %s', (voice, language, usedVoice, usedLanguage) => {
    const document = `<Response><Say voice="${voice}" language="${language}">x</Say></Response>`
    expect(verbsOf(document)).toMatchObject([{ source: { voice: usedVoice, language: usedLanguage } }])
  })

  test.each([
    ['1', 'playback '],
    ['3', 'loop_playback +3 '],
    ['0', 'loop_playback +1000 '],
    ['1000', 'loop_playback +1000 '],
    ['5000', 'loop_playback +1000 '],
    ['-1', 'playback '],
    ['often', 'playback '],
    ['', 'playback '],
  ])('loop %s', (loop, application) => {
    const actions = actionsOf(`<Response><Say loop="${loop}">x</Say></Response>`)
    expect(actions[2]).toBe(`${application}${audio('say-woman-en-US-x')}`)
  })

  test('without text it answers and says nothing', () => {
    expect(actionsOf('<Response><Say> </Say></Response>')).toEqual([...begin, end])
  })

  test('the prompts are told in the order in which they are heard', () => {
    const { prompts, leavesAt } = segmentOf(
      twiml((r) => {
        r.say('one')
        r.play('/two.wav')
        r.gather({}).say('three')
        r.say('four')
      }),
    )
    expect(prompts).toMatchObject([
      { text: 'one' },
      { url: 'https://app.example.com/two.wav' },
      { text: 'three' },
    ])
    expect(leavesAt).toBe(2)
  })
})

describe('Play', () => {
  test('an absolute and a relative URL', () => {
    expect(
      segmentOf(
        twiml((r) => {
          r.play('https://cdn.example.com/a%20b.mp3?x=1&y=2')
          r.play({ loop: 2 }, '../music.wav')
        }),
      ),
    ).toMatchObject({
      prompts: [
        { kind: 'play', url: 'https://cdn.example.com/a%20b.mp3?x=1&y=2' },
        { kind: 'play', url: 'https://app.example.com/music.wav' },
      ],
      actions: [
        { application: 'set' },
        { application: 'answer' },
        { application: 'playback', data: audio('play-_a_20b_mp3') },
        { application: 'loop_playback', data: `+2 ${audio('play-_music_wav')}` },
        { application: 'hangup' },
      ],
    })
  })

  test.each([
    ['1234', ['send_dtmf 1234', 'playback silence_stream://2250']],
    ['wW9*#', ['send_dtmf wW9*#', 'playback silence_stream://3250']],
  ])('digits %s are sent and waited for', (digits, actions) => {
    expect(actionsOf(twiml((r) => r.play({ digits })))).toEqual([...begin, ...actions, end])
  })

  test('digits in a loop, and instead of a URL', () => {
    const sent = ['send_dtmf 1', 'playback silence_stream://750']
    expect(actionsOf(twiml((r) => r.play({ digits: '1', loop: 2 }, '/ignored.wav')))).toEqual([
      ...begin,
      ...sent,
      ...sent,
      end,
    ])
  })
})

describe('Pause', () => {
  const length = (text: string) => actionsOf(`<Response><Say>x</Say><Pause length="${text}"/></Response>`)[3]

  test.each([
    ['1', 'playback silence_stream://1000'],
    ['30', 'playback silence_stream://30000'],
    ['0', end],
    ['-5', 'playback silence_stream://1000'],
    ['2.5', 'playback silence_stream://1000'],
    ['long', 'playback silence_stream://1000'],
    ['99999', 'playback silence_stream://14400000'],
  ])('length %s', (text, action) => {
    expect(length(text)).toBe(action)
  })

  test('standing first it does not answer, and sends no media', () => {
    expect(
      actionsOf(
        twiml((r) => {
          r.pause({ length: 4 })
          r.pause()
          r.say('x')
          r.pause()
        }),
      ),
    ).toEqual([
      'set playback_terminators=none',
      'sleep 4000',
      'sleep 1000',
      'answer',
      `playback ${audio('say-woman-en-US-x')}`,
      'playback silence_stream://1000',
      end,
    ])
  })
})

test('values that are not used are told, with their line', () => {
  const document =
    '<Response>\n<Say loop="x" colour="red">a</Say>\n<Pause\n length="-1"/>\n<Play loop="2000">/a</Play>stray</Response>'
  expect(warningsOf(document)).toEqual([
    '1: <Response> contains text outside any verb; it is ignored.',
    '2: <Say> has no attribute "colour"; it is ignored.',
    '2: loop must be a whole number from 0 to 1000; 1 is used.',
    '3: length must be a whole number from 0 to 14400; 1 is used.',
    '5: loop must be a whole number from 0 to 1000; 1000 is used.',
  ])
})

describe('what is not ready yet', () => {
  const document = twiml((r) => {
    r.pause()
    r.say('one')
    r.play('/two.wav')
    r.dial('+14155550001')
  })
  const back = `transfer ${callId} XML twiml`

  test('is waited for in silence after the answer, longer each time', () => {
    expect(actionsOf(document, 0, { hold: { index: 1, waits: 0 } })).toEqual([
      ...['set playback_terminators=none', 'sleep 1000', 'answer', 'playback silence_stream://500'],
      ...['set twiml_at=3.wait.1.0', back],
    ])
    const again = (waits: number) => actionsOf(document, 1, { answered: true, hold: { index: 1, waits } })
    expect(again(1)).toEqual([
      ...['set playback_terminators=none', 'playback silence_stream://1000'],
      ...['set twiml_at=3.wait.1.1', back],
    ])
    expect(again(9)[1]).toBe('playback silence_stream://2000')
  })

  test('is looked for at once when something was heard before it', () => {
    const { actions, prompts } = segmentOf(document, 0, { hold: { index: 2, waits: 0 } })
    expect(actions.map(({ application, data }) => `${application} ${data}`.trim())).toEqual([
      ...[
        'set playback_terminators=none',
        'sleep 1000',
        'answer',
        `playback ${audio('say-woman-en-US-one')}`,
      ],
      ...['set twiml_at=3.wait.2.0', back],
    ])
    expect(prompts).toMatchObject([{ text: 'one' }])
  })
})
