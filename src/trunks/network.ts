import ipaddr from 'ipaddr.js'

/** An address or a CIDR network in the one form that it is kept and compared in, or why it is none. */
export function toNetwork(text: string): { value: string } | { problem: string } {
  const [, address = '', bits] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const parsed = parse(address)
  if (parsed === null) return { problem: notAnAddress }
  const length = parsed.kind() === 'ipv4' ? 32 : 128
  if (bits === undefined) return { value: write(parsed) }
  const prefix = Number(bits)
  if (prefix > length || String(prefix) !== bits) return { problem: notAnAddress }
  if (prefix < widest[parsed.kind()]) return { problem: tooWide }
  const base = parsed.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  const network = base.networkAddressFromCIDR(`${parsed.toString()}/${prefix}`)
  if (network.toString() !== parsed.toString())
    return { problem: `has host bits set: the network is ${write(network)}/${prefix}` }
  return { value: prefix === length ? write(parsed) : `${write(parsed)}/${prefix}` }
}

const notAnAddress = 'must be an IPv4 or IPv6 address or a CIDR network'

// A network this wide is no trunk's: it would claim calls from half of the internet.
const widest = { ipv4: 8, ipv6: 16 }
const tooWide = `is wider than /${widest.ipv4} (IPv4) or /${widest.ipv6} (IPv6)`

// `010.0.0.1` and `1.2.3` are refused: programs disagree about what they mean. An IPv4 address in IPv6 is the former.
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return /(^|\.)0\d/.test(text) ? null : ipaddr.IPv4.parse(text)
  if (!ipaddr.IPv6.isValid(text)) return null
  const address = ipaddr.IPv6.parse(text)
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

const write = (address: ipaddr.IPv4 | ipaddr.IPv6): string =>
  address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
