/** A failure the caller can act on. Anything else is a bug and leaves as a bare 500. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string) {
    super(message)
    this.code = code
    this.status = status
  }
}

const make = (code: string, status: number, message: string) => new HubError(code, status, message)

/** Every code the hub can answer with; `docs/errors.md` is checked against this list. */
export const errors = {
  configInvalid: (detail: string) => make('CONFIG_INVALID', 500, `Bad setting: ${detail}`),
  portTaken: (what: string, port: number, setting: string) =>
    make(
      'PORT_TAKEN',
      500,
      `Port ${port} for ${what} is in use: stop the other program or set ${setting}`,
    ),
  dataNotWritable: (dir: string) =>
    make(
      'DATA_NOT_WRITABLE',
      500,
      `The data folder '${dir}' cannot be written: mend its rights or set HUB_DATA_DIR`,
    ),
  dataInUse: (dir: string, pid: string) =>
    make(
      'DATA_IN_USE',
      500,
      `Another hub (process ${pid}) works in the data folder '${dir}': stop it or set HUB_DATA_DIR`,
    ),
  addressRefused: (what: string, address: string, setting: string) =>
    make(
      'ADDRESS_REFUSED',
      500,
      `${what} may not listen on ${address}: it is no address of this machine or needs more rights; set ${setting}`,
    ),
  roleFailed: (role: string, how: string) =>
    make('ROLE_FAILED', 500, `The role '${role}' ended while starting (${how}): see its log lines`),
  storeNewer: (file: string) =>
    make(
      'STORE_NEWER',
      500,
      `'${file}' was written by a newer hub: start that version, or restore a backup`,
    ),
  storeBusy: () => make('STORE_BUSY', 503, 'The store is busy: try again'),
  notSignedIn: () => make('NOT_SIGNED_IN', 401, 'Sign in first'),
  signInFailed: () => make('SIGN_IN_FAILED', 401, 'Wrong name or password'),
  tooManyTries: () => make('TOO_MANY_TRIES', 429, 'Too many tries: wait a minute'),
  passwordTooWeak: () => make('PASSWORD_TOO_WEAK', 400, 'A password needs at least 10 characters'),
  forbidden: (who: string) => make('FORBIDDEN', 403, `You may not do this: ask ${who}`),
  regionNotFound: (scope: string) => make('REGION_NOT_FOUND', 404, `No region '${scope}'`),
  deviceNotFound: (id: string) => make('DEVICE_NOT_FOUND', 404, `No device '${id}'`),
  cameraNotFound: (id: string) => make('CAMERA_NOT_FOUND', 404, `No camera '${id}'`),
  alarmNotFound: (id: string) => make('ALARM_NOT_FOUND', 404, `No alarm '${id}'`),
  alarmTaken: (id: string, by: string) =>
    make('ALARM_TAKEN', 409, `Alarm '${id}' was already taken by ${by}`),
  alarmWrongState: (id: string, state: string, action: string) =>
    make('ALARM_WRONG_STATE', 409, `Cannot ${action} alarm '${id}': it is ${state}`),
  deviceExists: (id: string) => make('DEVICE_EXISTS', 409, `Device '${id}' is already registered`),
  userExists: (name: string) => make('USER_EXISTS', 409, `User '${name}' already exists`),
  userNotFound: (name: string) => make('USER_NOT_FOUND', 404, `No user '${name}'`),
  mediaUnavailable: () =>
    make('MEDIA_UNAVAILABLE', 503, 'The picture service is restarting: try again in a few seconds'),
  badRequest: (detail: string) => make('BAD_REQUEST', 400, detail),
  mustChangePassword: () =>
    make('MUST_CHANGE_PASSWORD', 403, 'Change your password first: POST /api/v1/session/password'),
  foreignOrigin: () =>
    make(
      'FOREIGN_ORIGIN',
      403,
      'Only pages of this hub may do this: open the console by its address',
    ),
  notFound: (what: string) => make('NOT_FOUND', 404, `Nothing is at '${what}'`),
  overloaded: () => make('OVERLOADED', 503, 'The hub is busy: try again in a few seconds'),
  internal: () => make('INTERNAL', 500, 'Internal error: the log names the cause'),
} as const
