import { Anchor, type AnchorProps, Button, type ButtonProps, Menu, type MenuItemProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { Ref } from 'react'

type LinkAnchorProps = Omit<AnchorProps, 'href'> & { ref?: Ref<HTMLAnchorElement> }
type LinkButtonProps = Omit<ButtonProps, 'href'> & { ref?: Ref<HTMLAnchorElement> }
type LinkItemProps = Omit<MenuItemProps, 'href'> & { ref?: Ref<HTMLAnchorElement> }

/** A link to another page of the console, with the types of its address. */
export const AnchorLink = createLink((props: LinkAnchorProps) => <Anchor {...props} />)

/** The same, as a button: what leads on to do something. */
export const ButtonLink = createLink((props: LinkButtonProps) => <Button component="a" {...props} />)

/** The same, in a menu. */
export const MenuItemLink = createLink((props: LinkItemProps) => <Menu.Item component="a" {...props} />)
