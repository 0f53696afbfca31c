import type { Role } from '#schema/people.ts'
import type { TextKey } from '../text/zh-cn.ts'

export interface Screen {
  key:
    | 'duty'
    | 'alarms'
    | 'live'
    | 'map'
    | 'status'
    | 'devices'
    | 'work'
    | 'log'
    | 'keyunits'
    | 'links'
    | 'reports'
    | 'settings'
  title: TextKey
  /** Second key after `g`. */
  letter: string
  path: (scope: string) => string
  /** False while the screen only says what it will hold. */
  built: boolean
  roles: readonly Role[]
}

const village = 'village-duty' as const
const township = 'township-officer' as const
const crew = 'crew' as const
const county = 'county-supervisor' as const
const auditor = 'auditor' as const
const admin = 'administrator' as const

const at = (name: string) => (scope: string) => `/s/${scope}/${name}`

/** Screens in the order of the navigation, with the roles whose navigation holds them. */
export const screens: readonly Screen[] = [
  {
    key: 'duty',
    title: 'nav.duty',
    letter: 'h',
    path: (scope) => `/s/${scope}`,
    built: true,
    roles: [village, township, county, auditor, admin],
  },
  {
    key: 'devices',
    title: 'nav.devices',
    letter: 'd',
    path: at('devices'),
    built: true,
    roles: [village, township, crew, county, admin],
  },
  {
    key: 'alarms',
    title: 'nav.alarms',
    letter: 'a',
    path: at('alarms'),
    built: true,
    roles: [village, township, crew, county, auditor, admin],
  },
  {
    key: 'live',
    title: 'nav.live',
    letter: 'v',
    path: at('live'),
    built: false,
    roles: [village, township, county],
  },
  {
    key: 'map',
    title: 'nav.map',
    letter: 'm',
    path: at('map'),
    built: false,
    roles: [township, crew, county],
  },
  {
    key: 'status',
    title: 'nav.status',
    letter: 's',
    path: at('status'),
    built: false,
    roles: [township, crew, county],
  },
  {
    key: 'work',
    title: 'nav.work',
    letter: 'w',
    path: at('work'),
    built: false,
    roles: [township, crew, county],
  },
  {
    key: 'log',
    title: 'nav.log',
    letter: 'l',
    path: at('log'),
    built: false,
    roles: [village, township, county],
  },
  {
    key: 'keyunits',
    title: 'nav.keyunits',
    letter: 'k',
    path: at('keyunits'),
    built: false,
    roles: [township, county],
  },
  {
    key: 'links',
    title: 'nav.links',
    letter: 'n',
    path: at('links'),
    built: false,
    roles: [township, crew, county],
  },
  {
    key: 'reports',
    title: 'nav.reports',
    letter: 'r',
    path: at('reports'),
    built: false,
    roles: [township, county, auditor],
  },
  {
    key: 'settings',
    title: 'nav.settings',
    letter: 'e',
    path: () => '/settings/system',
    built: true,
    roles: [township, crew, county, auditor, admin],
  },
]

/** The navigation of a role. A village clerk sees 5 entries, not 12. */
export const screensOf = (role: Role) => screens.filter(({ roles }) => roles.includes(role))

/** Where a person starts: the crew with its faults, everybody else on the duty screen of the own scope. */
export const homeOf = ({ role, scope }: { role: Role; scope: string }) =>
  role === crew ? `/s/${scope}/devices` : `/s/${scope}`

/** Routes that exist and say honestly that they are not built yet. */
export const laterScreens = screens.filter(({ built }) => !built).map(({ key }) => key)
