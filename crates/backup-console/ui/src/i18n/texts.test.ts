import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LANGUAGES } from './language'

type Texts = { [key: string]: string | Texts }

const folder = import.meta.dirname

/** Every text of a file by its key; what differs by number counts once. */
function flatten(texts: Texts, prefix = ''): Map<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value === 'string') all.set(prefix + key.replace(/_(one|other)$/, ''), value)
    else for (const [inner, text] of flatten(value, `${prefix}${key}.`)) all.set(inner, text)
  }
  return all
}

const read = (language: string, file: string) =>
  flatten(JSON.parse(readFileSync(join(folder, language, file), 'utf8')))
const placeholders = (text: string) => [...text.matchAll(/{{\w+}}/g)].map(String).sort()

describe.each(readdirSync(join(folder, LANGUAGES[0])))('%s', file => {
  it.each(LANGUAGES)('says in %s whatever the others say, with the same values', language => {
    const [ours, theirs] = [read(language, file), read(LANGUAGES[0], file)]
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort())
    for (const [key, text] of ours) {
      expect(text.trim(), key).not.toBe('')
      expect(placeholders(text), key).toEqual(placeholders(theirs.get(key) ?? ''))
    }
  })
})
