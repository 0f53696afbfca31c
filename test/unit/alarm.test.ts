import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HubError } from '../../hub/errors.ts'
import {
  applyAction,
  applyEdge,
  byUrgency,
  isOpen,
  isUnack,
  raiseAlarm,
} from '../../hub/rules/alarm.ts'
import { Alarm, AlarmEvent, AlarmState } from '../../hub/schema/alarm.ts'
import { alarmActions, alarmNext } from '../../hub/schema/alarm-life.ts'

const event = (over: Partial<AlarmEvent> = {}): AlarmEvent => ({
  deviceId: 'd1',
  region: '339901001001',
  boot: 'b1',
  seq: 1,
  kind: 'intrusion',
  point: '',
  edge: 'active',
  priority: 2,
  deviceAt: 900,
  receivedAt: 1000,
  assured: true,
  fingerprint: 'f',
  resent: false,
  ...over,
})
const raised = raiseAlarm(event(), 'a1')
const outcome = (act: () => Alarm) => {
  try {
    return act().state
  } catch (error) {
    return error instanceof HubError ? error.code : error
  }
}
const taken = applyAction(raised, 'acknowledge', '张三', 2000)
const active = event({ receivedAt: 3000 })
const cleared = event({ edge: 'cleared', receivedAt: 4000 })

describe('a new alarm', () => {
  test('rings, counts one and keeps both times', () => {
    expect(raised).toMatchObject({
      state: 'unack-active',
      count: 1,
      raisedAt: 1000,
      lastAt: 1000,
      deviceAt: 900,
      returnedAt: null,
    })
    expect(Alarm.parse(raised)).toEqual(raised)
  })

  test('is opened by a pulse too', () => {
    expect(raiseAlarm(event({ edge: 'pulse' }), 'a2').state).toBe('unack-active')
  })

  test('is never opened by a cleared edge', () => {
    expect(() => raiseAlarm(cleared, 'a2')).toThrow(RangeError)
  })
})

describe('edges of an open row', () => {
  test.each([
    ['unack-active', 'active', 'unack-active'],
    ['ack-active', 'active', 'ack-active'],
    ['ack-active', 'pulse', 'ack-active'],
    ['unack-active', 'cleared', 'returned-unack'],
    ['ack-active', 'cleared', 'ack-active'],
    ['returned-unack', 'active', 'unack-active'],
    ['returned-unack', 'pulse', 'unack-active'],
    ['returned-unack', 'cleared', 'returned-unack'],
    ['shelved', 'active', 'shelved'],
    ['shelved', 'cleared', 'shelved'],
    ['suppressed', 'active', 'suppressed'],
    ['out-of-service', 'active', 'out-of-service'],
  ] as const)('%s + %s edge -> %s', (state, edge, expected) => {
    const returnedAt = state === 'returned-unack' ? 1500 : null
    expect(applyEdge({ ...raised, state, returnedAt }, event({ edge })).state).toBe(expected)
  })

  test('fifty repeats are one row that counts fifty', () => {
    let row = raised
    for (let repeat = 2; repeat <= 50; repeat++)
      row = applyEdge(row, event({ receivedAt: repeat * 1000 }))
    expect(row).toMatchObject({ id: 'a1', count: 50, raisedAt: 1000, lastAt: 50_000 })
  })

  test('an acknowledged alarm that returned rings again and forgets who took it', () => {
    const back = applyEdge(applyEdge(taken, cleared), event({ receivedAt: 5000 }))
    expect(back).toMatchObject({
      state: 'unack-active',
      returnedAt: null,
      acknowledgedAt: null,
      acknowledgedBy: null,
      count: 2,
    })
  })

  test('an acknowledged alarm that repeats while it lasts stays quiet', () => {
    expect(applyEdge(taken, active)).toMatchObject({ state: 'ack-active', acknowledgedBy: '张三' })
  })

  test('a shelved alarm that returned and came back stays shelved', () => {
    const shelved = { ...raised, state: 'shelved' as const, returnedAt: 1500 }
    expect(applyEdge(shelved, active)).toMatchObject({ state: 'shelved', returnedAt: null })
  })

  test('the more urgent priority wins and never falls back', () => {
    const critical = applyEdge(raised, event({ priority: 1 }))
    expect(critical.priority).toBe(1)
    expect(applyEdge(critical, event({ priority: 4 })).priority).toBe(1)
  })

  test('a second cleared edge keeps the time the condition ended', () => {
    const twice = applyEdge(
      applyEdge(raised, cleared),
      event({ edge: 'cleared', receivedAt: 9000 }),
    )
    expect(twice).toMatchObject({ returnedAt: 4000, lastAt: 9000, count: 1 })
  })

  test('a jump of the device clock changes no order', () => {
    const row = applyEdge(raised, event({ deviceAt: 0, receivedAt: 3000 }))
    expect(row).toMatchObject({ lastAt: 3000, deviceAt: 900 })
  })

  test('a hub clock that was set back does not move a row backwards', () => {
    expect(applyEdge(raised, event({ receivedAt: 10 })).lastAt).toBe(1000)
    expect(applyEdge(raised, event({ edge: 'cleared', receivedAt: 10 })).returnedAt).toBe(1000)
  })

  test('a closed row takes no edge', () => {
    const closed = applyAction(taken, 'close', '李四', 3000, { cause: 'wind' })
    expect(() => applyEdge(closed, active)).toThrow(
      expect.objectContaining({ code: 'ALARM_WRONG_STATE', status: 409 }),
    )
  })
})

describe('what a person may do', () => {
  const legal: Record<AlarmState, readonly string[]> = {
    'unack-active': ['acknowledge'],
    'ack-active': ['close'],
    'returned-unack': ['acknowledge'],
    shelved: [],
    suppressed: [],
    'out-of-service': [],
    closed: [],
  }
  const pairs = AlarmState.options.flatMap((state) =>
    alarmActions.map((action) => [state, action, legal[state].includes(action)] as const),
  )

  test.each(pairs)('%s: %s is allowed: %s', (state, action, allowed) => {
    const act = () => applyAction({ ...raised, state }, action, '张三', 2000, { cause: 'wind' })
    expect(outcome(act)).toBe(allowed ? alarmNext[state][action] : 'ALARM_WRONG_STATE')
  })

  test('an acknowledgement keeps who and when', () => {
    expect(taken).toMatchObject({
      state: 'ack-active',
      acknowledgedBy: '张三',
      acknowledgedAt: 2000,
    })
    expect(raised.acknowledgedBy).toBeNull()
  })

  test('of two people who acknowledge at once the loser is told who won', () => {
    expect(() => applyAction(taken, 'acknowledge', '李四', 2001)).toThrow(
      expect.objectContaining({ code: 'ALARM_TAKEN', message: expect.stringContaining('张三') }),
    )
  })

  test('the loser is told who won even when the winner has closed it since', () => {
    const closed = applyAction(taken, 'close', '张三', 2001, { cause: 'wind' })
    expect(() => applyAction(closed, 'acknowledge', '李四', 2002)).toThrow(
      expect.objectContaining({ code: 'ALARM_TAKEN', message: expect.stringContaining('张三') }),
    )
  })

  test('the same person pressing twice is not told that somebody else took it', () => {
    expect(() => applyAction(taken, 'acknowledge', '张三', 2001)).toThrow(
      expect.objectContaining({ code: 'ALARM_WRONG_STATE' }),
    )
  })

  test('acknowledging a returned alarm keeps the time it returned', () => {
    const returned = applyEdge(raised, cleared)
    expect(applyAction(returned, 'acknowledge', '张三', 5000)).toMatchObject({
      state: 'ack-active',
      returnedAt: 4000,
    })
  })

  test.each([undefined, '', '   '])('closing without a cause (%j) is refused', (cause) => {
    expect(() => applyAction(taken, 'close', '李四', 3000, { cause })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST', status: 400 }),
    )
  })

  test('closing keeps who, when and the cause', () => {
    expect(applyAction(taken, 'close', '李四', 3000, { cause: ' wind ' })).toMatchObject({
      state: 'closed',
      closedBy: '李四',
      closedAt: 3000,
      cause: 'wind',
    })
  })
})

const listed = (id: string, state: AlarmState, priority: 1 | 2, raisedAt: number) => ({
  id,
  state,
  priority,
  raisedAt,
})

describe('order of a list', () => {
  test('unacknowledged first, then urgent, then newest, then by id', () => {
    const rows = [
      listed('closed', 'closed', 1, 9),
      listed('taken', 'ack-active', 1, 9),
      listed('old', 'unack-active', 2, 1),
      listed('twin-b', 'unack-active', 2, 5),
      listed('twin-a', 'returned-unack', 2, 5),
      listed('urgent', 'unack-active', 1, 0),
    ]
    expect(rows.toSorted(byUrgency).map(({ id }) => id)).toEqual([
      'urgent',
      'twin-a',
      'twin-b',
      'old',
      'closed',
      'taken',
    ])
    expect(byUrgency(rows[0]!, rows[0]!)).toBe(0)
  })
})

describe('any life of an alarm', () => {
  const step = fc.oneof(
    fc.record({
      edge: fc.constantFrom('active', 'cleared', 'pulse'),
      priority: fc.constantFrom(1, 2, 3, 4),
    }),
    fc.record({ action: fc.constantFrom(...alarmActions), by: fc.constantFrom('张三', '李四') }),
  )
  const live = (steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
    let row = raised
    const rows = [row]
    for (const [index, next] of steps.entries()) {
      const at = 1000 + index
      try {
        row =
          'edge' in next
            ? applyEdge(row, event({ ...next, receivedAt: at }))
            : applyAction(row, next.action, next.by, at, { cause: 'wind' })
      } catch (error) {
        expect(error).toMatchObject({ status: 409 })
      }
      rows.push(row)
    }
    return rows
  }

  test('keeps the row whole whatever the order of edges and actions', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const row of live(steps)) {
          Alarm.parse(row)
          expect(row.lastAt).toBeGreaterThanOrEqual(row.raisedAt)
          // Whoever is named took the condition that lasts or ended, never one still ringing.
          expect(isUnack(row) && row.acknowledgedBy !== null).toBe(false)
          expect(row.state === 'ack-active' && row.acknowledgedBy === null).toBe(false)
          expect(row.state === 'returned-unack' && row.returnedAt === null).toBe(false)
          expect(isOpen(row)).toBe(row.closedAt === null)
          expect(row.cause).toBe(isOpen(row) ? null : 'wind')
        }
      }),
    )
  })

  test('never loses a count and never gets less urgent', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rows = live(steps)
        for (const [index, row] of rows.slice(1).entries()) {
          expect(row.count).toBeGreaterThanOrEqual(rows[index]!.count)
          expect(row.priority).toBeLessThanOrEqual(rows[index]!.priority)
        }
      }),
    )
  })
})
