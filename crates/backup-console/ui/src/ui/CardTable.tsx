import { Table } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './CardTable.module.css'

interface Props {
  /** What the rows are. */
  label: string
  /** Pixels that the columns need; where there are fewer, it scrolls. */
  minWidth: number
  /** Whether the rows are those of the question before. */
  isStale?: boolean
  /** The names of the columns: `Table.Th`, with `aria-sort` where one sorts. */
  head: ReactNode
  /** Rows of `Table.Td`: with the column's name as `data-label` where a card needs it, the last with `data-end` where it acts. */
  children: ReactNode
}

/** A table that is a list of cards on a phone, so that nothing that can be done in a row is out of sight. */
export function CardTable({ label, minWidth, isStale = false, head, children }: Props) {
  return (
    <Table.ScrollContainer
      minWidth={minWidth}
      type="native"
      aria-busy={isStale}
      className={classes.container}
    >
      <Table verticalSpacing="xs" highlightOnHover aria-label={label} className={classes.table}>
        <Table.Thead>
          <Table.Tr>{head}</Table.Tr>
        </Table.Thead>
        <Table.Tbody opacity={isStale ? 0.6 : 1}>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
