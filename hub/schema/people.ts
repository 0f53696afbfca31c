import { z } from 'zod'
import { Scope } from './region.ts'

export const Role = z.enum([
  'village-duty',
  'township-officer',
  'crew',
  'county-supervisor',
  'auditor',
  'administrator',
])
export type Role = z.infer<typeof Role>

export const UserName = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{1,31}$/, '2 to 32 of a-z 0-9 _ . -, starting with a letter')

export const User = z.object({
  id: z.string(),
  name: UserName.describe('Sign-in name'),
  displayName: z.string().min(1).max(32),
  role: Role,
  scope: Scope.describe('The part of the county this person works in'),
  mustChange: z.boolean().describe('The password was made by the hub and must be changed'),
})
export type User = z.infer<typeof User>

/** Who acts, taken from the session, never from a request's body. */
export const Principal = User.pick({
  id: true,
  name: true,
  displayName: true,
  role: true,
  scope: true,
})
export type Principal = z.infer<typeof Principal>
