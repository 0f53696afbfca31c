import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte'
import { afterEach, expect, test, vi } from 'vitest'
import AlarmRow from '../../console/src/lib/alarms/AlarmRow.svelte'
import { Desk, type App } from '../../console/src/lib/state/app.svelte.ts'
import type { Fleet } from '../../console/src/lib/state/fleet.svelte.ts'
import ThumbBar from '../../console/src/lib/ui/ThumbBar.svelte'
import { alarm, noon } from './support/fakes.ts'
import Stage from './support/Stage.svelte'
import { stageApp } from './support/stage.ts'

afterEach(cleanup)

const row = (change: Parameters<typeof alarm>[0], props: Record<string, unknown> = {}) => {
  const onack = vi.fn<(id: string) => void>()
  const onopen = vi.fn<(id: string) => void>()
  const base = {
    alarm: alarm(change),
    scope: '339901001',
    selected: false,
    tabbable: true,
    mayAck: true,
    busy: false,
    onopen,
    onack,
  }
  render(Stage, { props: { app: stageApp(), part: AlarmRow, props: { ...base, ...props } } })
  return { onack, onopen }
}

test('taking an alarm does not open it as well', async () => {
  const { onack, onopen } = row({})
  await fireEvent.click(screen.getByRole('button', { name: '我来处理' }))
  expect(onack).toHaveBeenCalledWith('a1')
  expect(onopen).not.toHaveBeenCalled()
  await fireEvent.click(screen.getByRole('row'))
  expect(onopen).toHaveBeenCalledWith('a1')
})

test('a lost hub disables the button, and the button says why', () => {
  row({}, { blocked: '与值守中心断开' })
  const button = screen.getByRole<HTMLButtonElement>('button')
  expect([button.disabled, button.title]).toEqual([true, '与值守中心断开'])
})

test('who may not take an alarm reads its state instead of a button', () => {
  row({}, { mayAck: false })
  expect(screen.queryByRole('button')).toBeNull()
  expect(screen.getByText('未确认')).toBeTruthy()
})

test('above the village a row names its village first: the end of the line is cut', () => {
  row({ raisedAt: noon })
  expect(screen.getByText(/^杨家庄 · /)).toBeTruthy()
})

test('a repeated alarm that ended says both, and can still be taken', () => {
  row({ state: 'returned-unack', returnedAt: noon, count: 3 })
  expect(screen.getByText('×3').title).toBe('重复 3 次')
  expect(screen.getByText('已恢复未确认')).toBeTruthy()
  expect(screen.getByRole('button', { name: '我来处理' })).toBeTruthy()
})

test('the bar at the foot of a telephone takes the alarm that stands next, and is away when none does', async () => {
  const desk = new Desk()
  const fleet = { unack: [alarm({ id: 'top' }), alarm({ id: 'second' })], lost: false }
  desk.fleet = fleet as unknown as Fleet
  const session = { may: () => true } as unknown as App['session']
  render(Stage, { props: { app: stageApp({ desk, session }), part: ThumbBar, props: {} } })
  expect(screen.queryByRole('button')).toBeNull()
  const taken: string[] = []
  const end = desk.onack((id) => void taken.push(id))
  await fireEvent.click(await screen.findByRole('button', { name: '我来处理' }))
  desk.alarmId = 'second'
  await fireEvent.click(screen.getByRole('button'))
  expect(taken).toEqual(['top', 'second'])
  end()
  await waitFor(() => expect(screen.queryByRole('button')).toBeNull())
})
