// Plays the speech program: a WAV file of 22050 Hz, 0.1 s a character, with the size that a pipe cannot know. What it
// was given can be made to go wrong by the text; how it was called is told on file descriptor 1 in a LIST chunk.
import { argv, env, stdin, stdout } from 'node:process'

let text = ''
for await (const part of stdin) text += part
if (text === 'fail') process.exit(3)
if (text === 'nothing') process.exit(0)
if (text === 'garbage') {
  stdout.write('no sound')
  process.exit(0)
}
if (text.startsWith('slow')) await new Promise((resolve) => setTimeout(resolve, 2000))
if (text === 'stall') setInterval(() => {}, 1000)
else {
  const told = Buffer.from(
    JSON.stringify({ arguments: argv.slice(2), text, key: env.ENCRYPTION_KEY ?? null }),
  )
  const list = Buffer.alloc(8 + told.length + (told.length % 2))
  list.write('LIST')
  list.writeUInt32LE(told.length, 4)
  told.copy(list, 8)
  const samples = 2205 * text.length
  const data = Buffer.alloc(samples * 2)
  for (let i = 0; i < samples; i++)
    data.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * i) / 22050)), i * 2)
  const head = Buffer.from(
    '52494646ffffff7f57415645666d7420100000000100010022560000' + '44ac000002001000',
    'hex',
  )
  const dataHead = Buffer.from('64617461ffffff7f', 'hex')
  stdout.write(Buffer.concat([head, list, dataHead, data]))
}
