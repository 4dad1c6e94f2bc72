import i18next from 'i18next'
import { expect, it } from 'vitest'
import en from '@/i18n/en/schedules.json'
import zh from '@/i18n/zh-TW/schedules.json'
import { type Retention, retentionWords } from './retention'

const i18n = i18next.createInstance()
await i18n.init({
  lng: 'zh-TW',
  resources: { 'zh-TW': { schedules: zh }, en: { schedules: en } },
  interpolation: { escapeValue: false },
})

const say = (retention: Retention) =>
  ['zh-TW', 'en'].map(language => retentionWords(retention, i18n.getFixedT(language, 'schedules')))

it('says in words what is kept', () => {
  expect(say({ retentionDays: 30, maxBackups: 10 })).toEqual([
    '保留 30 天，最多 10 個備份',
    'Kept for 30 days, at most 10 backups',
  ])
  expect(
    say({ retentionDays: 1, maxBackups: 1, keepHourly: 0, keepDaily: 7, keepWeekly: null, keepYearly: 1 }),
  ).toEqual([
    '保留 1 天，最多 1 個備份；另保留最近 7 天、1 年各一個',
    'Kept for 1 day, at most 1 backup; beyond that, the newest of each of the last 7 days, 1 year',
  ])
})
