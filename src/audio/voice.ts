/** Who speaks: one of our own words for the voice, and a language tag of the list below. */
export type Speaker = { voice: 'man' | 'woman'; language: string }

/** The speaker that Twilio's `voice` and `language` attributes ask for. What is not known falls back to a woman's
 * voice in American English, as Twilio's own default is. */
export function speakerFor(voice: string | null, language: string | null): Speaker {
  const named = namedVoice(voice ?? '')
  return { voice: named.voice, language: knownLanguage(language) ?? named.language ?? 'en-US' }
}

/** Language tags that Twilio documents for `<Say>`, and the voice of espeak-ng that speaks each. */
export const languages: Readonly<Record<string, string>> = {
  'af-ZA': 'af',
  'ar-AE': 'ar',
  'ar-XA': 'ar',
  arb: 'ar',
  'bg-BG': 'bg',
  'bn-IN': 'bn',
  'ca-ES': 'ca',
  'cmn-CN': 'cmn',
  'cmn-TW': 'cmn',
  'cs-CZ': 'cs',
  'cy-GB': 'cy',
  'da-DK': 'da',
  'de-AT': 'de',
  'de-CH': 'de',
  'de-DE': 'de',
  'el-GR': 'el',
  'en-AU': 'en-gb',
  'en-CA': 'en-us',
  'en-GB': 'en-gb',
  'en-GB-WLS': 'en-gb',
  'en-IE': 'en-gb',
  'en-IN': 'en-gb',
  'en-NZ': 'en-gb',
  'en-US': 'en-us',
  'en-ZA': 'en-gb',
  'es-ES': 'es',
  'es-MX': 'es-419',
  'es-US': 'es-419',
  'et-EE': 'et',
  'eu-ES': 'eu',
  'fi-FI': 'fi',
  'fr-BE': 'fr-be',
  'fr-CA': 'fr-fr',
  'fr-CH': 'fr-ch',
  'fr-FR': 'fr-fr',
  'gl-ES': 'es',
  'gu-IN': 'gu',
  'he-IL': 'he',
  'hi-IN': 'hi',
  'hr-HR': 'hr',
  'hu-HU': 'hu',
  'id-ID': 'id',
  'is-IS': 'is',
  'it-IT': 'it',
  'ja-JP': 'ja',
  'kn-IN': 'kn',
  'ko-KR': 'ko',
  'lt-LT': 'lt',
  'lv-LV': 'lv',
  'ml-IN': 'ml',
  'mr-IN': 'mr',
  'ms-MY': 'ms',
  'nb-NO': 'nb',
  'nl-BE': 'nl',
  'nl-NL': 'nl',
  'pa-IN': 'pa',
  'pl-PL': 'pl',
  'pt-BR': 'pt-br',
  'pt-PT': 'pt',
  'ro-RO': 'ro',
  'ru-RU': 'ru',
  'sk-SK': 'sk',
  'sl-SI': 'sl',
  'sr-RS': 'sr',
  'sv-SE': 'sv',
  'ta-IN': 'ta',
  'te-IN': 'te',
  'th-TH': 'th',
  'tr-TR': 'tr',
  'uk-UA': 'uk',
  'ur-IN': 'ur',
  'ur-PK': 'ur',
  'vi-VN': 'vi',
  'yue-CN': 'yue',
  'yue-HK': 'yue',
  'zh-CN': 'cmn',
  'zh-HK': 'yue',
  'zh-TW': 'cmn',
}

type Named = { voice: Speaker['voice']; language: string | null }

function namedVoice(voice: string): Named {
  if (/^man$/i.test(voice)) return { voice: 'man', language: null }
  const [, provider = '', name = ''] = /^(Polly|Google)\.([A-Za-z0-9-]{1,60})$/.exec(voice) ?? []
  if (provider === 'Polly') return pollyVoice(name)
  if (provider === 'Google') return googleVoice(name)
  return { voice: 'woman', language: null }
}

function pollyVoice(name: string): Named {
  const person = name.replace(/-(Neural|Generative|Long-Form)$/, '')
  const language = Object.entries(pollyVoices).find(([, people]) => people.split(' ').includes(person))?.[0]
  return { voice: pollyMen.split(' ').includes(person) ? 'man' : 'woman', language: language ?? null }
}

// Google.en-GB-Wavenet-B: the locale stands in front; of the letters, B and D are men in most languages.
function googleVoice(name: string): Named {
  const [, locale = '', letter = ''] = /^([a-z]{2,3}-[A-Z]{2})(?:-.*?-([A-Z]))?(?:-|$)/.exec(name) ?? []
  return { voice: /^[BD]$/.test(letter) ? 'man' : 'woman', language: knownLanguage(locale) }
}

// Case does not matter, `en` alone is the first that begins with it, and Twilio's old `en` forms keep working.
function knownLanguage(language: string | null): string | null {
  if (language === null || language === '') return null
  const wanted = language.trim().replaceAll('_', '-').toLowerCase()
  if (Object.hasOwn(preferred, wanted)) return preferred[wanted] ?? null
  const tags = Object.keys(languages)
  const exact = tags.find((tag) => tag.toLowerCase() === wanted)
  return exact ?? tags.find((tag) => tag.toLowerCase().startsWith(`${wanted}-`)) ?? null
}

const preferred: Readonly<Record<string, string>> = {
  de: 'de-DE',
  en: 'en-US',
  es: 'es-ES',
  fr: 'fr-FR',
  nl: 'nl-NL',
  no: 'nb-NO',
  pt: 'pt-BR',
  zh: 'cmn-CN',
}

// Amazon Polly's voices by language, as Twilio's list of voices has them.
const pollyVoices: Readonly<Record<string, string>> = {
  arb: 'Zeina',
  'ar-AE': 'Hala Zayd',
  'ca-ES': 'Arlet',
  'cmn-CN': 'Zhiyu',
  'cs-CZ': 'Jitka',
  'cy-GB': 'Gwyneth',
  'da-DK': 'Naja Mads Sofie',
  'de-AT': 'Hannah',
  'de-CH': 'Sabrina',
  'de-DE': 'Marlene Vicki Hans Daniel',
  'en-AU': 'Nicole Russell Olivia',
  'en-GB': 'Amy Emma Brian Arthur',
  'en-GB-WLS': 'Geraint',
  'en-IE': 'Niamh',
  'en-IN': 'Raveena Aditi Kajal',
  'en-NZ': 'Aria',
  'en-US': 'Joanna Ivy Kendra Kimberly Salli Joey Justin Matthew Kevin Ruth Stephen Danielle Gregory Patrick',
  'en-ZA': 'Ayanda',
  'es-ES': 'Conchita Lucia Enrique Sergio Alba Raul',
  'es-MX': 'Mia Andres',
  'es-US': 'Lupe Miguel Penelope Pedro',
  'fi-FI': 'Suvi',
  'fr-BE': 'Isabelle',
  'fr-CA': 'Chantal Gabrielle Liam',
  'fr-FR': 'Celine Lea Mathieu Remi',
  'is-IS': 'Dora Karl',
  'it-IT': 'Carla Bianca Giorgio Adriano',
  'ja-JP': 'Mizuki Takumi Kazuha Tomoko',
  'ko-KR': 'Seoyeon Jihye',
  'nb-NO': 'Liv Ida',
  'nl-BE': 'Lisa',
  'nl-NL': 'Lotte Ruben Laura',
  'pl-PL': 'Ewa Maja Jacek Jan Ola',
  'pt-BR': 'Camila Vitoria Ricardo Thiago',
  'pt-PT': 'Ines Cristiano',
  'ro-RO': 'Carmen',
  'ru-RU': 'Tatyana Maxim',
  'sv-SE': 'Astrid Elin',
  'tr-TR': 'Filiz Burcu',
  'yue-CN': 'Hiujin',
}
const pollyMen =
  'Adriano Andres Arthur Brian Cristiano Daniel Enrique Geraint Giorgio Gregory Hans Jacek Jan Joey Justin Karl Kevin Liam Mads Mathieu Matthew Maxim Miguel Patrick Pedro Raul Remi Ricardo Ruben Russell Sergio Stephen Takumi Thiago Zayd'
