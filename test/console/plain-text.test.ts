import { expect, test } from 'vitest'
import { plainText } from '../../console/src/lib/map/area-map.ts'

test('a hostile village name in the map tooltip is text, not an element', () => {
  const node = plainText('<img src=x onerror=alert(1)>')
  expect(node.children).toHaveLength(0)
  expect(node.textContent).toBe('<img src=x onerror=alert(1)>')
})
