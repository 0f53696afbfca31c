import { type Random, shuffled } from './random.ts'

const townships = [
  '云溪镇',
  '白沙镇',
  '枫桥镇',
  '石门镇',
  '龙潭镇',
  '清湖镇',
  '双塔镇',
  '横山镇',
  '竹口镇',
  '安仁镇',
  '青田乡',
  '上坪乡',
  '大源乡',
  '茶园乡',
  '松阳坪乡',
  '樟树乡',
  '金岭乡',
  '潘村乡',
  '桃源乡',
  '梅岭乡',
  '高桥乡',
  '长滩乡',
  '雾岭乡',
  '银坑乡',
  '古亭乡',
  '南浦乡',
  '石梁乡',
  '新安乡',
  '黄坛乡',
  '沙湾乡',
]

const fore =
  '上下东西南北大小新前后石青白红金银龙清柳梅桃杏樟枫茶竹松荷泉沙黄陈李王张吴周徐朱叶章潘'
const aft = '河溪塘桥湾坪坞岭坑田井庄店墩泉岩源畈滩园'

/** Most townships a county can have names for. */
export const townshipLimit = townships.length
/** Most villages a township can have names for, and codes from 200 on (GB/T 10114: 200-399 = village). */
export const villageLimit = 200

/** Names of townships, no two alike; towns (镇) stand before townships (乡), the county seat first. */
export const townshipNames = (count: number) => townships.slice(0, count)

/** Names of the villages of one township, no two alike. */
export function villageNames(random: Random, count: number): string[] {
  const all = Array.from(fore).flatMap((first) =>
    Array.from(aft, (second) => `${first}${second}村`),
  )
  return shuffled(random, all).slice(0, count)
}

/** Where devices of each kind stand in a village, commonest first. */
export const places = {
  contact: [
    '小卖部后门',
    '祠堂侧门',
    '变压器房',
    '小学仓库',
    '卫生室药房',
    '农资店',
    '水泵房',
    '粮库',
    '文化礼堂',
    '老年食堂',
    '快递驿站',
    '信用社代办点',
  ],
  panic: ['村委会值班台', '小学门卫室', '卫生室', '小卖部柜台'],
  light: [
    '村口',
    '主街东段',
    '主街西段',
    '广场',
    '小学门口',
    '桥头',
    '祠堂前',
    '变压器旁',
    '停车场',
    '水塘边',
    '晒谷场',
    '公交站',
  ],
  camera: ['村口', '广场', '小学门口', '主街路口', '停车场', '祠堂', '桥头', '小卖部'],
} as const

/** What a device of each kind is called behind its place. */
export const nouns = {
  contact: '门磁',
  panic: '紧急按钮',
  light: '路灯',
  camera: '摄像机',
} as const
