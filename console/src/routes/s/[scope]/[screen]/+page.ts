import { error } from '@sveltejs/kit'
import { laterScreens } from '../../../../lib/rules/screens.ts'

/** Only screens that are planned have a page saying so; anything else is not found. */
export function load({ params }: { params: { screen: string } }) {
  if (!laterScreens.some((key) => key === params.screen)) error(404)
}
