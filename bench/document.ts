import { create } from 'xmlbuilder2'
import { element, param, print } from '../src/freeswitch/document.ts'
import { row } from './measure.ts'

const params: [string, string][] = Array.from({ length: 12 }, (_, n) => [`name-${n}`, `value & "${n}"`])

/** Our XML writer beside a general one, on a sofia.conf of 1,000 gateways. */
export function benchDocument(): void {
  row('sofia.conf of 1,000 gateways', 'ms', '', '', 'ratio')
  const gateway = (name: number) =>
    element(
      'gateway',
      { name: String(name) },
      params.map(([key, value]) => param(key, value)),
    )
  const ours = time(() =>
    print(
      element(
        'gateways',
        {},
        Array.from({ length: 1000 }, (_, n) => gateway(n)),
      ),
    ),
  )
  const theirs = time(() => {
    const gateways = create().ele('gateways')
    for (let n = 0; n < 1000; n++) {
      const one = gateways.ele('gateway', { name: String(n) })
      for (const [name, value] of params) one.ele('param', { name, value })
    }
    return gateways.end()
  })
  row('  src/freeswitch/document.ts', ours, '', '', 1)
  row('  xmlbuilder2', theirs, '', '', theirs / ours)
}

function time(deed: () => string): number {
  const taken = Array.from({ length: 5 }, () => {
    const began = performance.now()
    deed()
    return performance.now() - began
  }).sort((a, b) => a - b)
  return taken[2] ?? 0
}
